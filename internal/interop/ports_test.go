//go:build interop

package interop

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"

	"github.com/mailsession/mailsession/internal/testtls"
)

// TestTakenPortIsRecognised takes a port away between its choice and its use,
// and expects the error that makes Start try others.
func TestTakenPortIsRecognised(t *testing.T) {
	t.Parallel()
	for name, pick := range map[string]func(*Servers) string{
		"dovecot": func(s *Servers) string { return s.POP3 },
		"postfix": func(s *Servers) string { return s.SMTP },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authority, err := testtls.New()
			if err != nil {
				t.Fatal(err)
			}
			users, err := complete(nil)
			if err != nil {
				t.Fatal(err)
			}
			programs, err := findPrograms()
			if err != nil {
				t.Fatal(err)
			}
			dir, err := os.MkdirTemp("", "mailsession-interop-") //nolint:usetesting // socket names have to stay short.
			if err != nil {
				t.Fatal(err)
			}
			s := &Servers{Users: users, authority: authority, dir: dir}
			t.Cleanup(func() {
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
			})
			if err := s.occupy(t.Context(), pick); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), stageTimeout)
			defer cancel()
			if err := s.launch(ctx, programs); !errors.Is(err, errEnded) {
				t.Errorf("launch on a taken port = %v, want errEnded", err)
			}
		})
	}
}

// occupy chooses ports, takes one of them, and writes the configuration. The
// listener accepts nobody and lasts as long as the context.
func (s *Servers) occupy(ctx context.Context, pick func(*Servers) string) error {
	ports, err := s.choosePorts(ctx)
	if err != nil {
		return err
	}
	taken, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", pick(s))
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = taken.Close() })
	return s.configure(settings{Dir: s.dir, Ports: ports})
}
