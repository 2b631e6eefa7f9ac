package sasl_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/secret"
)

// dialogue is a scripted server: it hands out challenges, records answers,
// and ends in refusal or success.
type dialogue struct {
	takesInitial bool
	challenges   []string
	refusal      error // nil means success

	log []string
}

func (d *dialogue) Begin(mechanism string, initial []byte) (bool, error) {
	if !d.takesInitial || initial == nil {
		d.log = append(d.log, "begin "+mechanism)
		return false, nil
	}
	d.log = append(d.log, fmt.Sprintf("begin %s %q", mechanism, initial))
	return true, nil
}

func (d *dialogue) Challenge() ([]byte, bool, error) {
	if len(d.challenges) == 0 {
		return nil, d.refusal == nil, d.refusal
	}
	c := d.challenges[0]
	d.challenges = d.challenges[1:]
	return []byte(c), false, nil
}

func (d *dialogue) Answer(response []byte) error {
	d.log = append(d.log, fmt.Sprintf("answer %q", response))
	return nil
}

func (d *dialogue) Cancel() error {
	d.log = append(d.log, "cancel")
	d.challenges = nil
	return nil
}

var errRefused = errors.New("535 no")

// exchangeTest is a dialogue and what has to come of it.
type exchangeTest struct {
	name   string
	m      func() sasl.Mechanism
	d      dialogue
	log    []string
	err    error
	status string
}

func runExchanges(t *testing.T, tests []exchangeTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.d
			err := sasl.Exchange(tt.m(), &d)
			if !errors.Is(err, tt.err) {
				t.Errorf("Exchange = %v, want %v", err, tt.err)
			}
			if got, want := strings.Join(d.log, "\n"), strings.Join(tt.log, "\n"); got != want {
				t.Errorf("the client said\n%s\nwant\n%s", got, want)
			}
			if got := status(t, err); got != tt.status {
				t.Errorf("status = %q, want %q", got, tt.status)
			}
		})
	}
}

const user = "ann=a,b@example.com"

func TestExchangeOfTokens(t *testing.T) {
	const (
		x       = "user=ann=a,b@example.com\x01auth=Bearer t0k\x01\x01"
		bearer  = "n,a=ann=3Da=2Cb@example.com,\x01host=mail.example.com\x01port=993\x01auth=Bearer t0k\x01\x01" //nolint:gosec // G101: a made-up token is what this is about
		refused = `{"status":"401","schemes":"bearer","scope":"mail"}`
	)
	tok := secret.New("t0k")
	xoauth2 := func() sasl.Mechanism { return sasl.NewXOAUTH2(user, tok) }
	oauthbearer := func() sasl.Mechanism { return sasl.NewOAUTHBEARER(user, tok, "mail.example.com", 993) }
	runExchanges(t, []exchangeTest{
		{
			"XOAUTH2 on the line", xoauth2,
			dialogue{takesInitial: true},
			[]string{fmt.Sprintf("begin XOAUTH2 %q", x)},
			nil, "",
		},
		{
			"XOAUTH2 when asked", xoauth2,
			dialogue{challenges: []string{""}},
			[]string{"begin XOAUTH2", fmt.Sprintf("answer %q", x)},
			nil, "",
		},
		{
			"XOAUTH2 when asked in words", xoauth2,
			dialogue{challenges: []string{"go ahead"}},
			[]string{"begin XOAUTH2", fmt.Sprintf("answer %q", x)},
			nil, "",
		},
		{
			"XOAUTH2 refused with an explanation", xoauth2,
			dialogue{takesInitial: true, challenges: []string{refused}, refusal: errRefused},
			[]string{fmt.Sprintf("begin XOAUTH2 %q", x), `answer ""`},
			errRefused, "401",
		},
		{
			"XOAUTH2 refused without", xoauth2,
			dialogue{challenges: []string{""}, refusal: errRefused},
			[]string{"begin XOAUTH2", fmt.Sprintf("answer %q", x)},
			errRefused, "",
		},
		{
			"XOAUTH2 asked twice for more", xoauth2,
			dialogue{takesInitial: true, challenges: []string{refused, "more"}, refusal: errRefused},
			[]string{fmt.Sprintf("begin XOAUTH2 %q", x), `answer ""`, "cancel"},
			sasl.ErrUnexpectedChallenge, "401",
		},
		{
			"OAUTHBEARER", oauthbearer,
			dialogue{takesInitial: true},
			[]string{fmt.Sprintf("begin OAUTHBEARER %q", bearer)},
			nil, "",
		},
		{
			"OAUTHBEARER refused", oauthbearer,
			dialogue{challenges: []string{"", `{"status":"invalid_token"}`}, refusal: errRefused},
			[]string{"begin OAUTHBEARER", fmt.Sprintf("answer %q", bearer), `answer "\x01"`},
			errRefused, "invalid_token",
		},
	})
}

func TestExchangeOfPasswords(t *testing.T) {
	const plain = "\x00ann=a,b@example.com\x00pass word"
	pass := secret.New("pass word")
	plainM := func() sasl.Mechanism { return sasl.NewPLAIN(user, "", pass) }
	login := func() sasl.Mechanism { return sasl.NewLOGIN(user, pass) }
	runExchanges(t, []exchangeTest{
		{
			"PLAIN", plainM,
			dialogue{takesInitial: true},
			[]string{fmt.Sprintf("begin PLAIN %q", plain)},
			nil, "",
		},
		{
			"PLAIN for somebody else", func() sasl.Mechanism { return sasl.NewPLAIN(user, "admin", pass) },
			dialogue{takesInitial: true},
			[]string{`begin PLAIN "ann=a,b@example.com\x00admin\x00pass word"`},
			nil, "",
		},
		{
			"PLAIN asked for more", plainM,
			dialogue{takesInitial: true, challenges: []string{"?"}, refusal: errRefused},
			[]string{fmt.Sprintf("begin PLAIN %q", plain), "cancel"},
			sasl.ErrUnexpectedChallenge, "",
		},
		{
			"success before the credentials", plainM,
			dialogue{},
			[]string{"begin PLAIN"},
			sasl.ErrEarlySuccess, "",
		},
		{
			"LOGIN with strange prompts", login,
			dialogue{takesInitial: true, challenges: []string{"Benutzername", ""}},
			[]string{"begin LOGIN", `answer "ann=a,b@example.com"`, `answer "pass word"`},
			nil, "",
		},
		{
			"LOGIN asked a third time", login,
			dialogue{challenges: []string{"1", "2", "3"}, refusal: errRefused},
			[]string{"begin LOGIN", `answer "ann=a,b@example.com"`, `answer "pass word"`, "cancel"},
			sasl.ErrUnexpectedChallenge, "",
		},
	})
}

func status(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*sasl.Error](err)
	if !ok {
		t.Fatalf("error is a %T, want a *sasl.Error", err)
	}
	if e.Challenge == nil {
		return ""
	}
	return e.Challenge.Status
}

// endless asks for ever and is asked for ever.
type endless struct{ dialogue }

func (*endless) Challenge() ([]byte, bool, error) { return []byte("again"), false, nil }

type patient struct{ sasl.Mechanism }

func (patient) Next([]byte) ([]byte, error) { return []byte{}, nil }

func TestExchangeIsBounded(t *testing.T) {
	d := &endless{}
	err := sasl.Exchange(patient{sasl.NewPLAIN("ann", "", secret.New("x"))}, d)
	if !errors.Is(err, sasl.ErrTooManyChallenges) {
		t.Errorf("Exchange = %v, want %v", err, sasl.ErrTooManyChallenges)
	}
	if got := d.log[len(d.log)-1]; got != "cancel" {
		t.Errorf("the client's last word is %q, want cancel", got)
	}
}

// broken fails at the step that it is told to.
type broken struct {
	dialogue

	step string
	err  error
}

func (b *broken) Begin(m string, initial []byte) (bool, error) {
	if b.step == "begin" {
		return false, b.err
	}
	return b.dialogue.Begin(m, initial)
}

func (b *broken) Answer(p []byte) error {
	if b.step == "answer" {
		return b.err
	}
	return b.dialogue.Answer(p)
}

func (b *broken) Cancel() error { return b.err }

func TestExchangePassesOnBrokenConnections(t *testing.T) {
	lost := errors.New("connection lost")
	for _, step := range []string{"begin", "answer"} {
		d := &broken{dialogue: dialogue{challenges: []string{"", ""}}, step: step, err: lost}
		if err := sasl.Exchange(sasl.NewXOAUTH2("ann", secret.New("tok")), d); !errors.Is(err, lost) {
			t.Errorf("lost in %s: Exchange = %v, want %v", step, err, lost)
		}
	}
	d := &broken{dialogue: dialogue{takesInitial: true, challenges: []string{"?"}}, err: lost}
	err := sasl.Exchange(sasl.NewPLAIN("ann", "", secret.New("x")), d)
	if !errors.Is(err, sasl.ErrUnexpectedChallenge) {
		t.Errorf("lost in cancel: Exchange = %v, want %v", err, sasl.ErrUnexpectedChallenge)
	}
}

func TestErrorText(t *testing.T) {
	d := &dialogue{
		takesInitial: true,
		challenges:   []string{`{"status":400,"scope":"https://mail.google.com/","echo":"s3cr3t-t0ken"}`},
		refusal:      errRefused,
	}
	err := sasl.Exchange(sasl.NewXOAUTH2("ann", secret.New("s3cr3t-t0ken")), d)
	want := "XOAUTH2: 535 no (the server explains: status 400, scope https://mail.google.com/)"
	if err.Error() != want {
		t.Errorf("Exchange = %q, want %q", err, want)
	}
	if s := fmt.Sprintf("%+v %#v", err, err); strings.Contains(s, "s3cr3t") {
		t.Errorf("the error shows the token: %s", s)
	}
}

func TestMechanismsDoNotPrintSecrets(t *testing.T) {
	s := secret.New("s3cr3t-t0ken")
	for _, m := range []sasl.Mechanism{
		sasl.NewXOAUTH2("ann", s), sasl.NewOAUTHBEARER("ann", s, "h", 1), sasl.NewPLAIN("ann", "", s), sasl.NewLOGIN("ann", s),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if got := fmt.Sprintf(verb, m); strings.Contains(got, "s3cr3t") {
				t.Errorf("%s of %s shows the secret: %s", verb, m.Name(), got)
			}
		}
	}
}

func TestCredentialsAreChecked(t *testing.T) {
	ok := secret.New("good")
	tests := []struct {
		m    sasl.Mechanism
		part string
	}{
		{sasl.NewXOAUTH2("", ok), "user name"},
		{sasl.NewXOAUTH2("ann\x01auth=Bearer evil", ok), "user name"},
		{sasl.NewXOAUTH2("ann\r\n", ok), "user name"},
		{sasl.NewXOAUTH2("ann", secret.New("tok\x01user=bob")), "access token"},
		{sasl.NewXOAUTH2("ann", secret.New("tok\n")), "access token"},
		{sasl.NewXOAUTH2("ann", secret.New("two words")), "access token"},
		{sasl.NewXOAUTH2("ann", secret.Text{}), "access token"},
		{sasl.NewOAUTHBEARER("ann\x7f", ok, "h", 1), "user name"},
		{sasl.NewOAUTHBEARER("ann", secret.New("t\x00"), "h", 1), "access token"},
		{sasl.NewOAUTHBEARER("ann", ok, "h\x01port=1", 1), "host"},
		{sasl.NewPLAIN("ann\x00bob", "", ok), "user name"},
		{sasl.NewPLAIN("ann", "admin\x00bob", ok), "user name"},
		{sasl.NewPLAIN("ann\x00bob", "admin", ok), "user name"},
		{sasl.NewPLAIN("ann", "", secret.New("p\x00q")), "password"},
		{sasl.NewPLAIN("ann", "", secret.Text{}), "password"},
		{sasl.NewLOGIN("ann\x00", ok), "user name"},
		{sasl.NewLOGIN("", ok), "user name"},
		{sasl.NewLOGIN("ann", secret.Text{}), "password"},
	}
	for i, tt := range tests {
		d := &dialogue{takesInitial: true}
		err := sasl.Exchange(tt.m, d)
		e, ok := errors.AsType[*sasl.CredentialsError](err)
		if !ok || e.Part != tt.part {
			t.Errorf("%d, %s: Exchange = %v, want a CredentialsError about the %s", i, tt.m.Name(), err, tt.part)
		}
		if len(d.log) > 0 {
			t.Errorf("%d, %s: sent %q, want nothing", i, tt.m.Name(), d.log)
		}
	}
}

func TestCoding(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=", `{"status":"invalid_token"}`},
		{" VXNlcm5hbWU6 ", "Username:"},
		{"VXNlcm5hbWU6Cg", "Username:\n"},
		{"Go ahead, please.", "Go ahead, please."},
		{"", ""},
	} {
		if got := sasl.Decode([]byte(tt.line)); string(got) != tt.want {
			t.Errorf("Decode(%q) = %q, want %q", tt.line, got, tt.want)
		}
	}
	if got := string(sasl.Encode([]byte{1})); got != "AQ==" {
		t.Errorf("Encode(0x01) = %q, want AQ==", got)
	}
	if got := sasl.Encode(nil); len(got) != 0 {
		t.Errorf("Encode(nil) = %q, want nothing", got)
	}
	if got := string(sasl.EncodeInitial([]byte{})); got != "=" {
		t.Errorf("EncodeInitial(empty) = %q, want =", got)
	}
	if got := sasl.EncodeInitial([]byte("x")); !bytes.Equal(got, []byte("eA==")) {
		t.Errorf("EncodeInitial(x) = %q, want eA==", got)
	}
}
