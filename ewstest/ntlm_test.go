package ewstest

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// get asks on a connection with a message of NTLM, which may be empty, and
// returns the status and the message that came back.
func get(t *testing.T, c net.Conn, message []byte) (status int, answer []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://mail.example.com"+Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if message != nil {
		req.Header.Set("Authorization", "NTLM "+base64.StdEncoding.EncodeToString(message))
	}
	if err := req.Write(c); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	text, _ := strings.CutPrefix(resp.Header.Get("WWW-Authenticate"), "NTLM ")
	answer, _ = base64.StdEncoding.DecodeString(text)
	return resp.StatusCode, answer
}

// authenticate makes a client's last message.
func authenticate(challenge []byte, user, password string) []byte {
	const header = 64
	key := md4(wide(password))
	blob := append([]byte{1, 1, 0, 0, 0, 0, 0, 0}, make([]byte, 24)...)
	proof := sum(sum(key[:], wide(strings.ToUpper(user))), append(append([]byte{}, challenge[24:32]...), blob...))
	response := append(proof, blob...)
	name := wide(user)
	m := binary.LittleEndian.AppendUint32(ntlmSignature(), ntlmAuthenticate)
	m = located(m, 0, header)                            // the old response
	m = located(m, len(response), header)                // the response
	m = located(m, 0, header)                            // the domain
	m = located(m, len(name), header+len(response))      // the user
	m = located(m, 0, header)                            // the workstation
	m = located(m, 0, header)                            // the session key
	m = binary.LittleEndian.AppendUint32(m, ntlmUnicode) // flags
	return append(append(m, response...), name...)
}

func TestNTLMSignsInAConnection(t *testing.T) {
	box := mailtest.New()
	box.Add("ann@example.com", secret.New("correct horse"))
	s := New(box, nil)
	defer func() { _ = s.Close() }()
	dial := func() net.Conn {
		c, err := s.Dial(t.Context(), "tcp", "mail.example.com:80")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	hello := binary.LittleEndian.AppendUint32(ntlmSignature(), ntlmNegotiate)
	for _, in := range []struct {
		user, password string
		status         int
	}{{"ann", "correct horse", 200}, {"ann@example.com", "correct horse", 200}, {"ann", "wrong horse", 401}, {"eve", "correct horse", 401}} {
		c := dial()
		status, challenge := get(t, c, hello)
		if status != 401 || len(challenge) < 48 || binary.LittleEndian.Uint32(challenge[20:])&0x40000000 != 0 {
			t.Fatalf("status = %d, challenge %x, want 401 and one without an exchange of keys", status, challenge)
		}
		if status, _ := get(t, c, authenticate(challenge, in.user, in.password)); status != in.status {
			t.Errorf("%s: status = %d, want %d", in.user, status, in.status)
		}
		if status, _ := get(t, c, nil); status != in.status {
			t.Errorf("%s: the next request gets %d, want %d", in.user, status, in.status)
		}
		if status, _ := get(t, dial(), nil); status != 401 {
			t.Errorf("%s: another connection gets %d, want 401", in.user, status)
		}
		if status, _ := get(t, dial(), authenticate(challenge, in.user, in.password)); status != 401 {
			t.Errorf("%s: an answer to another connection's challenge gets %d, want 401", in.user, status)
		}
	}
}
