package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// output is what the program prints, and ends it after a line with certain words.
type output struct {
	mu    sync.Mutex
	text  strings.Builder
	until string
	end   context.CancelFunc
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if strings.Contains(string(p), o.until) {
		o.end()
	}
	return o.text.Write(p)
}

// TestWhatCameMeanwhileIsTold: the server knows NTLM alone. A first run tells of one
// message, and the second one of that which came when none ran.
func TestWhatCameMeanwhileIsTold(t *testing.T) {
	box := mailtest.New()
	box.Add("ann@contoso.example", secret.New("correct horse"))
	fake := ewstest.New(box, &ewstest.Options{Security: mailtest.TLS, Strict: true, Schemes: []string{ewstest.NTLM}})
	defer fake.Close()
	at := session.Server{Host: "localhost", TLS: fake.ClientTLS(), Dial: fake.Dial, Transcript: testlog.New(t), Mechanisms: []string{ews.NTLM}}
	creds := session.Credentials{User: "ann@contoso.example", Password: secret.New("correct horse")}
	dir := t.TempDir() + "/watched"
	deliver := func(n int) {
		if err := box.Deliver(mailtest.Sample(n), "ann@contoso.example"); err != nil {
			t.Error(err)
		}
	}
	fake.Inject(mailtest.CallAfter("GetStreamingEvents", 1, func() { deliver(1) }))
	for n := 1; n <= 2; n++ {
		ctx, end := context.WithCancel(t.Context())
		out := &output{until: "Sample", end: end}
		if err := watch(ctx, out, ews.Backend(at, nil), creds, dir); ctx.Err() == nil {
			t.Fatalf("watch ends by itself: %v", err)
		}
		if got := out.text.String(); strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, fmt.Sprintf("  Sample %d\n", n)) {
			t.Errorf("run %d prints\n%s, want a line about Sample %d", n, got, n)
		}
		deliver(n + 1)
	}
}
