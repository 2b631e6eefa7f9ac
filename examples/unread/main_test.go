package main

import (
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

func TestList(t *testing.T) {
	box := mailtest.New()
	ann := box.Add("ann@example.com", secret.New("correct horse"))
	server := imaptest.New(box, &imaptest.Options{Security: mailtest.TLS})
	defer server.Close()
	for i, flags := range [][]string{nil, {mailtest.Seen}, nil} {
		o := &mailtest.AppendOptions{Flags: flags, Received: time.Date(2026, time.November, 20+i, 9, 30, 0, 0, time.UTC)}
		if _, err := ann.Append("INBOX", mailtest.Sample(i+1), o); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	at := session.Server{Host: "localhost", TLS: server.ClientTLS(), Dial: server.Dial, Transcript: testlog.New(t)}
	err := list(t.Context(), &out, at, session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")})
	if want := "2026-11-22 09:30  Sample 3\n2026-11-20 09:30  Sample 1\n"; out.String() != want || err != nil {
		t.Errorf("list prints\n%s%v, want\n%s", out.String(), err, want)
	}
	err = list(t.Context(), &out, at, session.Credentials{User: "ann@example.com", Password: secret.New("wrong horse")})
	testlog.Error(t, err)
	if err == nil || !strings.Contains(err.Error(), "check user name and password") {
		t.Errorf("list with a wrong password: %v", err)
	}
}
