package imapx_test

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

func withID(id map[string]string) func(*session.Server, *session.Credentials, *imapx.Options) {
	return func(_ *session.Server, _ *session.Credentials, o *imapx.Options) { o.ID = id }
}

// TestTheProgramNamesItself: what the settings say is told once a connection,
// and the server's answer is in the facts.
func TestTheProgramNamesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := map[string]string{"version": "2", "vendor": `Post "Haste" & Co`, "name": "courier"}
		w := newWorld(t, 3, nil, withID(id))
		want := []map[string]string{maps.Clone(id)}
		id["name"] = "changed afterwards"
		list(t, w.client.Messages(t.Context(), session.Query{}))
		list(t, w.client.Messages(t.Context(), session.Query{}))
		if got := w.server.IDs(); !reflect.DeepEqual(got, want) {
			t.Errorf("the server was told %v, want %v", got, want)
		}
		if heard := commands(w.server, "ID"); len(heard) != 1 || !strings.Contains(heard[0], `ID ("name" "courier" "vendor" "Post \"Haste\" & Co" "version" "2")`) {
			t.Errorf("the server heard %q, want one ID with the name first", heard)
		}
		facts, err := w.client.Facts(t.Context())
		if err != nil || facts.Server != "imaptest" {
			t.Errorf("Facts().Server = %q, %v, want imaptest", facts.Server, err)
		}
	})
}

// commands returns the lines of one command that a server heard.
func commands(s *imaptest.Server, name string) []string {
	var lines []string
	for _, c := range s.Commands() {
		if c.Name == name {
			lines = append(lines, c.Line)
		}
	}
	return lines
}

// TestNobodyIsToldUnasked: without settings, and where the server does not know
// the command, nothing is told. One that refuses it is used all the same.
func TestNobodyIsToldUnasked(t *testing.T) {
	for _, tt := range []struct {
		name   string
		id     map[string]string
		server *imaptest.Options
		fault  mailtest.Fault
		heard  int
	}{
		{name: "no settings"},
		{name: "unknown to the server", id: map[string]string{"name": "courier"}, server: &imaptest.Options{Capabilities: imaptest.Without("ID")}},
		{name: "refused", id: map[string]string{"name": "courier"}, fault: mailtest.Reply("ID", "BAD what?"), heard: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 3, tt.server, withID(tt.id))
				if tt.fault.Command != "" {
					w.server.Inject(tt.fault)
				}
				if got := len(list(t, w.client.Messages(t.Context(), session.Query{}))); got != 3 {
					t.Errorf("%d messages, want 3", got)
				}
				if got := commands(w.server, "ID"); len(got) != tt.heard {
					t.Errorf("the server heard %q, want %d of ID", got, tt.heard)
				}
			})
		})
	}
}

// TestAServerThatWantsAName: NetEase's servers open no folder before they know
// who asks.
func TestAServerThatWantsAName(t *testing.T) {
	for name, tt := range map[string]struct{ id, want map[string]string }{
		"said by the settings": {map[string]string{"name": "courier"}, map[string]string{"name": "courier"}},
		"said when asked":      {nil, map[string]string{"name": "mailsession", "version": "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 3, &imaptest.Options{WantID: true}, withID(tt.id))
				if got := len(list(t, w.client.Messages(t.Context(), session.Query{}))); got != 3 {
					t.Errorf("%d messages, want 3", got)
				}
				if got := w.server.IDs(); !reflect.DeepEqual(got, []map[string]string{tt.want}) {
					t.Errorf("the server was told %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// TestWhatAnIDMayHold: the limits of RFC 2971, and nothing that ends the line.
func TestWhatAnIDMayHold(t *testing.T) {
	many := map[string]string{}
	for i := range 31 {
		many[fmt.Sprintf("field%d", i)] = "x"
	}
	for _, tt := range []struct {
		name string
		id   map[string]string
		want string // "" where it is allowed
	}{
		{"nothing", map[string]string{}, ""},
		{"as much as may be", map[string]string{strings.Repeat("n", 30): strings.Repeat("v", 1024)}, ""},
		{"an empty value", map[string]string{"name": ""}, ""},
		{"31 fields", many, "31 fields"},
		{"a long name", map[string]string{strings.Repeat("n", 31): "x"}, "1 to 30 bytes"},
		{"no name", map[string]string{"": "x"}, "1 to 30 bytes"},
		{"a long value", map[string]string{"name": strings.Repeat("v", 1025)}, "at most 1024 bytes"},
		{"a line end in a value", map[string]string{"name": "x\")\r\nA9 LOGOUT"}, "printable ASCII"},
		{"a line end in a name", map[string]string{"na\nme": "x"}, "printable ASCII"},
		{"beyond ASCII", map[string]string{"name": "Käse"}, "printable ASCII"},
		{"the same twice", map[string]string{"name": "a", "Name": "b"}, "twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := imapx.New(session.Server{Host: "localhost"}, session.Credentials{User: ann}, &imapx.Options{ID: tt.id})
			if err == nil {
				_ = c.Close()
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("New: error %v, want one with %q", err, tt.want)
			}
		})
	}
}
