package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// The numbers of RFC 1928 and RFC 1929.
const (
	socksVersion      = 5
	socksConnect      = 1
	socksNoCredential = 0
	socksPassword     = 2
	socksNoMethod     = 0xff
	socksIPv4         = 1
	socksName         = 3
	socksIPv6         = 4
	passwordVersion   = 1
)

// socks makes a tunnel by SOCKS5. The line it returns beside an error has to be
// dropped.
func (h *hop) socks(open func() (*line, error), host string, port uint16) (*line, error) {
	target, err := socksAddress(host, port)
	if err != nil {
		return nil, err
	}
	l, err := open()
	if err != nil {
		return nil, err
	}
	if err := h.negotiate(l); err != nil {
		return l, err
	}
	request := append([]byte{socksVersion, socksConnect, 0}, target...)
	if err := send(l, "ask for a tunnel", request); err != nil {
		return l, err
	}
	return l, readReply(l)
}

// negotiate agrees on whether there are credentials, and sends them.
func (h *hop) negotiate(rw io.ReadWriter) error {
	greeting := []byte{socksVersion, 1, socksNoCredential}
	if h.user != "" {
		greeting = []byte{socksVersion, 2, socksNoCredential, socksPassword}
	}
	if err := send(rw, "greet it", greeting); err != nil {
		return err
	}
	var choice [2]byte
	if err := receive(rw, choice[:], false); err != nil {
		return err
	}
	switch {
	case choice[1] == socksNoCredential:
		return nil
	case choice[1] == socksPassword && h.user != "":
		return h.sendPassword(rw)
	case choice[1] == socksNoMethod && h.user == "":
		return &Error{Err: errors.New("it asks for credentials"), Remedy: "give User and Password of the proxy"}
	case choice[1] == socksNoMethod:
		return &Error{
			Err:    errors.New("it takes neither a user name with a password nor no credentials"),
			Remedy: "use a proxy or a port of it that does; other ways are not known here",
		}
	}
	return &Error{Err: fmt.Errorf("it chose the method %d, which was not offered", choice[1])}
}

// sendPassword signs in (RFC 1929).
func (h *hop) sendPassword(rw io.ReadWriter) error {
	request := counted([]byte{passwordVersion}, h.user)
	request = counted(request, h.password.Reveal())
	if err := send(rw, "sign in", request); err != nil {
		return err
	}
	var status [2]byte
	if _, err := io.ReadFull(rw, status[:]); err != nil {
		return cut(err, true)
	}
	if status[1] != 0 {
		return &Error{Err: errors.New("it refused the credentials"), Remedy: "check User and Password of the proxy"}
	}
	return nil
}

// readReply reads the answer to the request for a tunnel, and not a byte
// further.
func readReply(r io.Reader) error {
	var head [4]byte // version, reply, reserved, kind of address
	if err := receive(r, head[:2], true); err != nil {
		return err
	}
	if head[1] != 0 {
		// The rest is of no use, and some proxies leave it out.
		return refusal(head[1])
	}
	if _, err := io.ReadFull(r, head[2:]); err != nil {
		return cut(err, true)
	}
	var length int
	switch head[3] {
	case socksIPv4:
		length = 4
	case socksIPv6:
		length = 16
	case socksName:
		var n [1]byte
		if _, err := io.ReadFull(r, n[:]); err != nil {
			return cut(err, true)
		}
		length = int(n[0])
	default:
		return &Error{Err: fmt.Errorf("its answer holds an address of the unknown kind %d", head[3])}
	}
	// The address is the proxy's own end of the tunnel.
	if _, err := io.CopyN(io.Discard, r, int64(length)+2); err != nil {
		return cut(err, true)
	}
	return nil
}

// receive reads an answer that begins with the version.
func receive(r io.Reader, p []byte, begun bool) error {
	if _, err := io.ReadFull(r, p[:1]); err != nil {
		return cut(err, begun)
	}
	if p[0] != socksVersion {
		return &Error{
			Err:    errors.New("its answer is not SOCKS5"),
			Remedy: "check host and port of the proxy, and whether it is one for http://",
		}
	}
	if _, err := io.ReadFull(r, p[1:]); err != nil {
		return cut(err, true)
	}
	return nil
}

func send(w io.Writer, what string, p []byte) error {
	if _, err := w.Write(p); err != nil {
		return &Error{Err: fmt.Errorf("%s: %w", what, err), temporary: true}
	}
	return nil
}

// socksAddress writes a server's address as RFC 1928 section 5 has it.
func socksAddress(host string, port uint16) ([]byte, error) {
	var address []byte
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil && len(host) > 255:
		return nil, errors.New("the server's name is longer than 255 bytes")
	case err != nil:
		address = counted([]byte{socksName}, host)
	case ip.Zone() != "":
		return nil, fmt.Errorf("the address %s is of this machine's network alone; reach it without a proxy", host)
	case ip.Unmap().Is4():
		address = append([]byte{socksIPv4}, ip.Unmap().AsSlice()...)
	default:
		address = append([]byte{socksIPv6}, ip.AsSlice()...)
	}
	return binary.BigEndian.AppendUint16(address, port), nil
}

// counted appends a text behind its length, which was checked before.
func counted(p []byte, text string) []byte {
	return append(append(p, byte(len(text)&0xff)), text...)
}

// refusal says what a reply (RFC 1928 section 6) means.
func refusal(reply byte) error {
	e := &Error{Reply: int(reply)}
	switch reply {
	case 1, 3, 4, 5, 6: // failure, network, host, connection refused, TTL
		e.temporary = true
		e.Remedy = "the proxy cannot reach the server; check the server's name and port, or try again later"
	case 2:
		e.Remedy = "the proxy's rules forbid this server or its port; its administrator has to allow it"
	case 7:
		e.Remedy = "the proxy makes no connections for others; use another one"
	case 8:
		e.Remedy = "the proxy does not know this kind of address; give the server's name, or its IPv4 address"
	}
	return e
}

// replyText is what a reply is called.
func replyText(reply int) string {
	texts := [...]string{
		1: "general failure", 2: "not allowed by its rules", 3: "network unreachable", 4: "host unreachable",
		5: "connection refused", 6: "time to live expired", 7: "command not supported", 8: "kind of address not supported",
	}
	if reply < len(texts) && texts[reply] != "" {
		return texts[reply]
	}
	return fmt.Sprintf("reply %d", reply)
}
