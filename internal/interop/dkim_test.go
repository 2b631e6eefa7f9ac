//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/mail"
	"os/exec"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/message/dkim"
	"github.com/mailsession/mailsession/session"
)

// signers returns signers of both kinds of keys, in every canonicalization.
func signers(t *testing.T) map[string]*dkim.Signer {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, e, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*dkim.Signer)
	for kind, key := range map[string]crypto.Signer{"rsa": r, "ed25519": e} {
		for name, opts := range map[string]*dkim.Options{
			"relaxed": nil, "simple": {SimpleHeader: true, SimpleBody: true}, "mixed": {SimpleBody: true, Identity: "@mail.example.com"},
		} {
			s, err := dkim.New("example.com", kind+name, key, opts)
			if err != nil {
				t.Fatal(err)
			}
			all[kind+" "+name] = s
		}
	}
	return all
}

// dkimpy has the dkimpy of Debian verify the first signature of a message, with
// the record for its key.
func dkimpy(t *testing.T, s *dkim.Signer, text []byte) bool {
	t.Helper()
	name, value := s.Record()
	question, err := json.Marshal(map[string]any{"name": name, "value": value, "message": text})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), pythonPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", "-B", "testdata/verify_dkim.py") // Debian's, which has its packages
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(question), &said
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("verify_dkim.py: %v\n%s", err, said.String())
	}
	return strings.TrimSpace(string(answer)) == "True"
}

// TestDKIMVerifiedByOthers signs messages, sends them by Postfix, and has dkimpy
// verify what Dovecot got: that is signed what is sent. A byte that is changed is
// noticed.
func TestDKIMVerifiedByOthers(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	in, out := pair(t, servers, session.STARTTLS)
	s := newSession(t, session.Credentials{User: ann, Password: userOf(t, servers, ann).Password}, in, out)
	verified := 0
	for name, signer := range signers(t) {
		for _, text := range []string{"Grüße,\n.\n..dots\n" + strings.Repeat("long ", 300) + " \n\n\n", "", "plain\n"} {
			d := &message.Draft{
				From: mail.Address{Name: "Änn", Address: ann}, To: []mail.Address{{Address: ann}}, Text: text,
				Subject: "Notiz für mich – 注意 " + strings.Repeat("x ", 60), Extra: []message.Field{{Name: "List-Unsubscribe", Value: "<https://example.com/leave>"}},
			}
			source, err := d.Source()
			if err != nil {
				t.Fatal(err)
			}
			signed, err := signer.Sign(source)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{ann}}, signed); err != nil {
				t.Fatal(err)
			}
			arrived := rawMail(t, s, awaitMail(t, s, d.MessageID).ID)
			if !dkimpy(t, signer, arrived) {
				t.Errorf("%s: dkimpy refuses the signature on\n%s", name, arrived)
			}
			if changed := bytes.Replace(arrived, []byte("Subject: "), []byte("Subject: A"), 1); dkimpy(t, signer, changed) {
				t.Errorf("%s: dkimpy takes the signature on a message with another subject", name)
			}
			verified++
		}
	}
	t.Logf("dkimpy verified %d messages that went through Postfix and Dovecot", verified)
}

// rawMail returns the bytes of a message.
func rawMail(t *testing.T, s *session.Session, id session.ID) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
