package pop3x

import (
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// TestCloseDoesNotCutTheConnectionOfAnother: who reads has given the connection
// back behind the last byte, and is not done with that when the body is closed.
// The connection is somebody else's then.
func TestCloseDoesNotCutTheConnectionOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := mailtest.New()
		box.Add("ann@example.com", secret.New("correct horse"))
		server := pop3test.New(box, nil)
		defer server.Close()
		c, err := New(session.Server{
			Host: "mail.example.com", Security: session.None, AllowPlainAuth: true, Dial: server.Dial,
		}, session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		l, err := c.pool.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conn := l.Conn
		b := &body{client: c, lease: l, turn: backend.NewTurn(conn.w)}
		b.turn.Take()
		b.release()
		closed := make(chan error)
		go func() { closed <- b.Close() }()
		synctest.Wait()
		b.turn.Pass()
		if err := <-closed; err != nil || conn.w.Err() != nil {
			t.Errorf("Close = %v, the connection has ended by %v; want both nil", err, conn.w.Err())
		}
	})
}
