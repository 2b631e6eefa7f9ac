package dkim_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/mail"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	verifier "github.com/emersion/go-msgauth/dkim"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/message/dkim"
	"github.com/mailsession/mailsession/secret"
)

// keys makes a key of RSA and one of Ed25519.
func keys(tb testing.TB) (*rsa.PrivateKey, ed25519.PrivateKey) {
	tb.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	_, e, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return r, e
}

func signer(t *testing.T, key crypto.Signer, opts *dkim.Options) *dkim.Signer {
	t.Helper()
	s, err := dkim.New("example.com", "s1", key, opts)
	if err != nil {
		t.Fatalf("New() = %v", err)
	}
	return s
}

func bytesOf(t *testing.T, s message.Source) string {
	t.Helper()
	r, err := s.Open()
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	defer r.Close()
	b, err := io.ReadAll(iotest.HalfReader(r))
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return string(b)
}

// verify returns what a verifier says of the signatures on text, the first from
// the top first.
func verify(t *testing.T, text string, signers ...*dkim.Signer) []error {
	t.Helper()
	records := make(map[string]string)
	for _, s := range signers {
		name, value := s.Record()
		records[name] = value
	}
	found, err := verifier.VerifyWithOptions(strings.NewReader(text), &verifier.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) {
			if records[name] == "" {
				return nil, errors.New("there is no " + name)
			}
			return []string{records[name]}, nil
		},
	})
	if err != nil {
		t.Fatalf("Verify() = %v", err)
	}
	var all []error
	for _, v := range found {
		all = append(all, v.Err)
	}
	return all
}

func source(text string) message.Source { return message.Bytes([]byte(text)) }

// TestSignaturesVerify signs what messages are like, in every way, and has the
// signature verified; the message is the same below it.
func TestSignaturesVerify(t *testing.T) {
	composed, err := (&message.Draft{
		From: mail.Address{Name: "Ann Ä", Address: "ann@example.com"}, To: []mail.Address{{Address: "bob@example.org"}},
		Subject: strings.Repeat("Grüße ", 40), Text: "Hallo\n\n.\n trailing \n\n\n",
	}).Source()
	if err != nil {
		t.Fatal(err)
	}
	r, e := keys(t)
	for _, text := range []string{
		bytesOf(t, composed),
		"From: a@example.com\r\n\r\n",
		"From: a@example.com\r\n\r\nno end of line",
		"From:   a@example.com  \nSubject: lone\n  feeds\n\nof lines\n\n\n",
		"From: a@example.com\r\rof old\rsystems\r\n",
		"Received: x\r\nTo: b@x\r\nFrom: a@example.com\r\nReceived: y\r\nX-Empty:\r\n\r\n\r\n\r\n \r\n",
		"From: a@example.com\r\nSubject: \xff\xc3\xa9\r\n\r\n\x00\xff\r\n..\r\n" + strings.Repeat("x", 5000),
	} {
		for name, s := range map[string]*dkim.Signer{
			"rsa": signer(t, r, nil), "ed25519": signer(t, e, nil),
			"simple": signer(t, e, &dkim.Options{SimpleHeader: true, SimpleBody: true, Identity: "@mail.example.com", ValidFor: time.Hour}),
			"few":    signer(t, e, &dkim.Options{Fields: []string{"Subject"}, Sealed: []string{}}),
		} {
			signed, err := s.Sign(source(text))
			if err != nil {
				t.Errorf("%s: Sign(%q) = %v", name, text, err)
				continue
			}
			got := bytesOf(t, signed)
			if again := bytesOf(t, signed); again != got {
				t.Errorf("%s: opened again the message is\n%q\nwant\n%q", name, again, got)
			}
			if size := signed.Size(); size != int64(len(got)) {
				t.Errorf("%s: Size() = %d, want %d", name, size, len(got))
			}
			for _, err := range verify(t, got, s) {
				if err != nil {
					t.Errorf("%s: the signature of %q is refused: %v", name, text, err)
				}
			}
			want := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n", "\r\n")
			if !strings.HasSuffix(got, "\r\n") || !strings.HasSuffix(strings.TrimSuffix(got, "\r\n"), strings.TrimSuffix(want, "\r\n")) {
				t.Errorf("%s: of %q the message became %q", name, text, got)
			}
		}
	}
}

// TestTwoSignatures finds that a message can be signed with two keys.
func TestTwoSignatures(t *testing.T) {
	r, e := keys(t)
	first := signer(t, r, nil)
	second, err := dkim.New("example.com", "s2", e, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := first.Sign(source("From: a@example.com\r\n\r\nhi\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if m, err = second.Sign(m); err != nil {
		t.Fatal(err)
	}
	if got := verify(t, bytesOf(t, m), first, second); len(got) != 2 || got[0] != nil || got[1] != nil {
		t.Errorf("the signatures are %v, want two that are good", got)
	}
}

// TestSealed finds that what was changed or added voids the signature, and what
// may be added does not.
func TestSealed(t *testing.T) {
	_, e := keys(t)
	s := signer(t, e, nil)
	m, err := s.Sign(source("From: a@example.com\r\nTo: b@x\r\nSubject: Offer\r\nX-Mine: 1\r\n\r\nbody\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	text := bytesOf(t, m)
	for _, tt := range []struct {
		name, text string
		good       bool
	}{
		{"as it was", text, true},
		{"another subject", strings.Replace(text, "Offer", "Order", 1), false},
		{"another body", strings.Replace(text, "body", "Body", 1), false},
		{"a second subject", "Subject: Order\r\n" + text, false},
		{"a second author", "From: b@example.com\r\n" + text, false},
		{"a copy where there was none", "Cc: c@x\r\n" + text, false},
		{"a type where there was none", "Content-Type: text/html\r\n" + text, false},
		{"what a list adds", "Sender: list@x\r\nList-Id: <x>\r\nReceived: x\r\n" + text, true},
		{"what was not signed", strings.Replace(text, "X-Mine: 1", "X-Mine: 2", 1), true},
		{"spaces", strings.Replace(text, "Subject: Offer", "subject:   Offer ", 1), true},
	} {
		if got := verify(t, tt.text, s); len(got) != 1 || (got[0] == nil) != tt.good {
			t.Errorf("%s: the signature is %v, want it good: %t", tt.name, got, tt.good)
		}
	}
}

type stream struct{ open func() io.Reader }

func (stream) Size() int64                    { return -1 }
func (s stream) Open() (io.ReadCloser, error) { return io.NopCloser(s.open()), nil }

func TestSignRefuses(t *testing.T) {
	_, e := keys(t)
	broken := errors.New("the disk is gone")
	many := strings.Repeat("List-Post: x\r\n", 100)
	for _, tt := range []struct {
		name, want string
		m          message.Source
	}{
		{"nobody's", "0 From fields", source("To: a@x\r\n\r\n")},
		{"two authors'", "2 From fields", source("From: a@x\r\nFrom: b@x\r\n\r\n")},
		{"a header alone", "no empty line", source("From: a@x\r\n")},
		{"nothing", "no empty line", source("")},
		{"a line that is none", "none of a header", source("From: a@x\r\nrubbish\r\n\r\n")},
		{"fields without end", "more than", source("From: a@x\r\n" + strings.Repeat("X: y\r\n", 1<<18) + "\r\n")},
		{"too many to list", "sign fewer fields", source("From: a@x\r\n" + many + "\r\n")},
		{"one that cannot be read", broken.Error(), stream{func() io.Reader { return iotest.ErrReader(broken) }}},
		{"one that breaks in its body", broken.Error(), stream{func() io.Reader {
			return io.MultiReader(strings.NewReader("From: a@x\r\n\r\n"+strings.Repeat("x", 2<<20)), iotest.ErrReader(broken))
		}}},
		{"no file", "missing", message.File("testdata/missing.eml")},
	} {
		m, err := signer(t, e, nil).Sign(tt.m)
		if m != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Sign() = %v, %v, want an error with %q", tt.name, m, err, tt.want)
		}
	}
}

// TestChangedAfterSigning finds that a message of another length does not go out.
func TestChangedAfterSigning(t *testing.T) {
	_, e := keys(t)
	for _, later := range []string{"From: a@x\r\n\r\nlonger", "From: a@x\r\n\r\n"} {
		n := 0
		m, err := signer(t, e, nil).Sign(stream{func() io.Reader {
			if n++; n > 2 {
				return strings.NewReader(later)
			}
			return strings.NewReader("From: a@x\r\n\r\nbody")
		}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); err == nil || !strings.Contains(err.Error(), "another length") {
			t.Errorf("reading = %v, want an error about the length", err)
		}
	}
}

// TestSigningIsFlat signs a message that is too long to be held, and looks at the
// memory as it is read.
func TestSigningIsFlat(t *testing.T) {
	_, e := keys(t)
	const size, most = 64 << 20, 24 << 20
	var peak, before uint64
	look := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	before = look()
	large := stream{func() io.Reader {
		lines := &endless{text: strings.Repeat("x", 76) + "\r\n", every: 1 << 20, look: func() { peak = max(peak, look()) }}
		return io.MultiReader(strings.NewReader("From: a@x\r\n\r\n"), io.LimitReader(lines, size))
	}}
	m, err := signer(t, e, nil).Sign(large)
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); err != nil || n != m.Size() || n < size {
		t.Errorf("%d bytes came, %v, want the %d that Size tells", n, err, m.Size())
	}
	t.Logf("of %d bytes at most %d were in memory", size, peak-before)
	if peak-before > most {
		t.Errorf("%d bytes were in memory, want at most %d", peak-before, most)
	}
}

// TestBlankLinesAreLinear signs a message that ends in very many blank lines, and
// looks at how much was allocated: collecting them and copying them with each piece
// that follows takes hundreds of times their length.
func TestBlankLinesAreLinear(t *testing.T) {
	_, e := keys(t)
	const size = 4 << 20
	for name, tail := range map[string]string{"blank lines": "\r\n", "lines of spaces": " \t \r\n"} {
		for _, simple := range []bool{true, false} {
			if simple && tail != "\r\n" {
				continue // which are no blank lines there
			}
			s := signer(t, e, &dkim.Options{SimpleBody: simple})
			m := source("From: a@x\r\n\r\nbody\r\n" + strings.Repeat(tail, size/len(tail)))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := s.Sign(m); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 4*size {
				t.Errorf("%s, simple %t: %d bytes were allocated for %d, want at most four times as many", name, simple, took, size)
			}
		}
	}
}

// TestBlankLines signs all small bodies of words, spaces and blank lines, and some
// long runs, and has each signature verified by others.
func TestBlankLines(t *testing.T) {
	_, e := keys(t)
	run := strings.Repeat("\n", 20_000)
	bodies := []string{run, "x" + run, "x" + run + "y", run + " y " + run + " ", strings.Repeat(" \t\n", 5000) + " x"}
	for n, all := 0, []string{""}; n < 5; n++ {
		var longer []string
		for _, b := range all {
			longer = append(longer, b+"x", b+" ", b+"\n")
		}
		bodies = append(bodies, longer...)
		all = longer
	}
	for _, simple := range []bool{true, false} {
		s := signer(t, e, &dkim.Options{SimpleBody: simple})
		_, err := s.Sign(source("From: a@x\r\n\r\nx" + strings.Repeat("\r\n", 1<<16) + "y"))
		if refused := err != nil && strings.Contains(err.Error(), "blank lines in a row"); refused != simple {
			t.Errorf("simple %t: Sign() of a desert = %v", simple, err)
		}
		for _, body := range bodies {
			signed, err := s.Sign(source("From: a@example.com\n\n" + body))
			if err != nil {
				t.Fatalf("simple %t: Sign(%.20q) = %v", simple, body, err)
			}
			if got := verify(t, bytesOf(t, signed), s); len(got) != 1 || got[0] != nil {
				t.Errorf("simple %t: the signature of %.20q is %v, want it good", simple, body, got)
			}
		}
	}
}

// endless repeats a text, and looks around now and then.
type endless struct {
	text            string
	at, read, every int
	look            func()
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	if e.read += n; e.read > e.every {
		e.read = 0
		e.look()
	}
	return n, nil
}

func TestNewRefuses(t *testing.T) {
	r, e := keys(t)
	p, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		domain, selector string
		key              crypto.Signer
		opts             *dkim.Options
		want             string
	}{
		{"", "s", e, nil, "domain"},
		{"localhost", "s", e, nil, "domain"},
		{"exämple.com", "s", e, nil, "xn--"},
		{"example.com; p=", "s", e, nil, "domain"},
		{"example.com", "", e, nil, "selector"},
		{"example.com", "a b", e, nil, "selector"},
		{"example.com", "s\r\nX: y", e, nil, "selector"},
		{"example.com", "s", nil, nil, "no key"},
		{"example.com", "s", p, nil, "RSA or Ed25519"},
		{"example.com", "s", r, &dkim.Options{Fields: []string{"A B"}}, "not the name"},
		{"example.com", "s", r, &dkim.Options{Sealed: []string{"x:y"}}, "not the name"},
		{"example.com", "s", r, &dkim.Options{Fields: []string{"Received"}}, "cannot be signed"},
		{"example.com", "s", r, &dkim.Options{Identity: "ann@example.org"}, "not of the domain"},
		{"example.com", "s", r, &dkim.Options{Identity: "a;b@example.com"}, "identity"},
		{"example.com", "s", r, &dkim.Options{ValidFor: -1}, "ValidFor"},
	} {
		s, err := dkim.New(tt.domain, tt.selector, tt.key, tt.opts)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New(%q, %q, %T, %+v) = %v, %v, want an error with %q", tt.domain, tt.selector, tt.key, tt.opts, s, err, tt.want)
		}
	}
}

func inPEM(t *testing.T, kind string, key any) secret.Text {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if r, ok := key.(*rsa.PrivateKey); ok && kind == "RSA PRIVATE KEY" {
		der, err = x509.MarshalPKCS1PrivateKey(r), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

func TestParseKey(t *testing.T) {
	r, e := keys(t)
	if got, err := dkim.ParseKey(inPEM(t, "RSA PRIVATE KEY", r)); err != nil || !r.PublicKey.Equal(got.Public()) {
		t.Errorf("ParseKey() of RSA = %T, %v, want the key", got, err)
	}
	if got, err := dkim.ParseKey(inPEM(t, "PRIVATE KEY", r)); err != nil || !r.PublicKey.Equal(got.Public()) {
		t.Errorf("ParseKey() of RSA as PKCS #8 = %T, %v, want the key", got, err)
	}
	if got, err := dkim.ParseKey(inPEM(t, "PRIVATE KEY", e)); err != nil || !e.Equal(got) {
		t.Errorf("ParseKey() of Ed25519 = %T, %v, want the key", got, err)
	}
	p, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[secret.Text]string{
		secret.New("horse"):                  "not PEM",
		inPEM(t, "ENCRYPTED PRIVATE KEY", e): "decrypt it",
		inPEM(t, "CERTIFICATE", e):           "has a CERTIFICATE",
		inPEM(t, "RSA PRIVATE KEY", e):       "cannot be read",
		secret.New("-----BEGIN PRIVATE KEY-----\naG9yc2U=\n-----END PRIVATE KEY-----\n"): "cannot be read",
		inPEM(t, "PRIVATE KEY", p): "RSA or Ed25519",
	} {
		if _, err := dkim.ParseKey(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "horse") {
			t.Errorf("ParseKey() = %v, want an error with %q", err, want)
		}
	}
}

// FuzzSign finds that whatever is signed verifies, and is what was given but for
// its line ends.
func FuzzSign(f *testing.F) {
	f.Add([]byte("From: a@example.com\r\nSubject: x\r\n y\r\n\r\nbody \t x\r\n\r\n\r\n"), false)
	f.Add([]byte("From : a@example.com\nTo:\n\t\n b\n\n\r\r\n\n"), true)
	_, key := keys(f)
	f.Fuzz(func(t *testing.T, in []byte, simple bool) {
		s := signer(t, key, &dkim.Options{SimpleHeader: simple, SimpleBody: simple})
		m, err := s.Sign(message.Bytes(in))
		if err != nil {
			return
		}
		text := bytesOf(t, m)
		if got := verify(t, text, s); len(got) == 0 || got[0] != nil {
			t.Errorf("the signature of %q is %v", in, got)
		}
		breaks := strings.NewReplacer("\r", "", "\n", "")
		if !strings.HasSuffix(breaks.Replace(text), breaks.Replace(string(in))) || bytes.Contains([]byte(strings.ReplaceAll(text, "\r\n", "")), []byte("\n")) {
			t.Errorf("of %q the message became %q", in, text)
		}
	})
}
