package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
)

// TestAMailingGoesOnWhereItEnded: the program is interrupted in the middle. The second
// run sends the rest; of two customers that the server refuses, one is tried later.
func TestAMailingGoesOnWhereItEnded(t *testing.T) {
	box := mailtest.New()
	box.Add("shop@example.com", secret.New("correct horse"))
	server := smtptest.New(box, &smtptest.Options{Security: mailtest.TLS})
	defer server.Close()
	at := session.Server{Host: "localhost", TLS: server.ClientTLS(), Dial: server.Dial, Transcript: testlog.New(t)}
	creds := session.Credentials{User: "shop@example.com", Password: secret.New("correct horse")}
	var rows strings.Builder
	rows.WriteString("key,address,name\n")
	for n := range 20 {
		fmt.Fprintf(&rows, "%d,c%d@example.org,Customer %d\n", n, n, n)
	}
	table := rows.String()
	ctx, interrupt := context.WithCancel(t.Context())
	eleventh := mailtest.Call("MAIL", interrupt).Skipping(10)
	eleventh.Ignore = true
	server.Inject(
		eleventh,
		mailtest.Reply("RCPT", "451 4.7.1 later").Containing("<c18@"),
		mailtest.Reply("RCPT", "550 5.1.1 no such user").Containing("<c19@"),
	)
	dir := t.TempDir() + "/outbox"
	var out strings.Builder
	if err := send(ctx, &out, at, creds, dir, "may", strings.NewReader(table)); err == nil {
		t.Errorf("an interrupted run prints\n%s, and no error", out.String())
	}
	if n := len(server.Messages()); n != 10 {
		t.Errorf("%d messages were sent before it was interrupted, want 10", n)
	}
	out.Reset()
	if err := send(t.Context(), &out, at, creds, dir, "may", strings.NewReader(table)); err != nil {
		testlog.Error(t, err)
		t.Errorf("the second run: %v", err)
	}
	for _, want := range []string{"may/18: c18@example.org: waiting ", "may/19: c19@example.org: refused ", "sent 18\n", "failed 1\n", "new 1\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the second run prints\n%s, want %q in it", out.String(), want)
		}
	}
	sent := map[string]int{}
	for _, m := range server.Messages() {
		sent[m.To[0]]++
	}
	if len(sent) != 18 || len(server.Messages()) != 18 {
		t.Errorf("%d messages to %d customers, want one to each of 18", len(server.Messages()), len(sent))
	}
}
