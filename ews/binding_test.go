package ews

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/Azure/go-ntlmssp"
)

// TestChannelBindingsAreThoseOfOthers: the hashes that others publish for certificates,
// Microsoft's open specifications team the first, and the package ntlm-auth for Python
// the second.
func TestChannelBindingsAreThoseOfOthers(t *testing.T) {
	for certificate, want := range map[string]string{
		"EA05FEFECC6B0BD571DBBC5BAA3ED45386D0446835F7B74C85621B9983475F95": "6586e99d81c2fc984e47172fd4dd0310",
		"E3CA49271E5089CC48CE82109F1324F41DBEDDC29A777410C738F7868C4FF405": "6ea19df066da4622051f9c4f92c6df74",
	} {
		hash, err := hex.DecodeString(certificate)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(channelBindings(append([]byte("tls-server-end-point:"), hash...))); got != want {
			t.Errorf("channelBindings of a certificate with the hash %s = %s, want %s", certificate, got, want)
		}
	}
}

// TestEndPoints: a certificate is hashed as it was signed, but never by MD5 nor SHA-1
// (RFC 5929 section 4.1).
func TestEndPoints(t *testing.T) {
	raw := []byte("a certificate")
	with256, with384, with512 := sha256.Sum256(raw), sha512.Sum384(raw), sha512.Sum512(raw)
	for algorithm, want := range map[x509.SignatureAlgorithm][]byte{
		x509.MD5WithRSA: with256[:], x509.SHA1WithRSA: with256[:], x509.DSAWithSHA1: with256[:], x509.ECDSAWithSHA1: with256[:],
		x509.SHA256WithRSA: with256[:], x509.SHA256WithRSAPSS: with256[:], x509.ECDSAWithSHA256: with256[:], x509.DSAWithSHA256: with256[:],
		x509.SHA384WithRSA: with384[:], x509.SHA384WithRSAPSS: with384[:], x509.ECDSAWithSHA384: with384[:],
		x509.SHA512WithRSA: with512[:], x509.SHA512WithRSAPSS: with512[:], x509.ECDSAWithSHA512: with512[:],
		x509.PureEd25519: nil, x509.UnknownSignatureAlgorithm: nil,
	} {
		got := endPoint(&x509.Certificate{Raw: raw, SignatureAlgorithm: algorithm})
		if want != nil {
			want = append([]byte("tls-server-end-point:"), want...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("endPoint of a certificate signed by %s = %q, want %q", algorithm, got, want)
		}
	}
}

// The messages that [MS-NLMP] section 4.2.4 works out: the server's challenge, whose
// target information begins at 68.
const specifiedChallenge = "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef00000000000000002400240044000000" +
	"060070170000000f53006500720076006500720002000c0044006f006d00610069006e0001000c0053006500720076006500720000000000"

// TestSpecifiedChallenge: the target information of [MS-NLMP] section 4.2.4 comes out
// with the server's pairs as they were and the client's behind them, and all else of
// the message stays.
func TestSpecifiedChallenge(t *testing.T) {
	challenge, err := hex.DecodeString(specifiedChallenge)
	if err != nil {
		t.Fatal(err)
	}
	got, err := bound(challenge, bindings("mail.contoso.com", nil)...)
	if err != nil {
		t.Fatal(err)
	}
	service := "HTTP/mail.contoso.com"
	want := "02000c0044006f006d00610069006e00" + "01000c00530065007200760065007200" +
		"0a001000" + strings.Repeat("00", 16) + "09002a00" + hex.EncodeToString([]byte(strings.Join(strings.Split(service, ""), "\x00")+"\x00")) + "00000000"
	if info := hex.EncodeToString(got[len(challenge):]); info != want {
		t.Errorf("the target information is\n%s, want\n%s", info, want)
	}
	size, place := binary.LittleEndian.Uint16(got[40:]), binary.LittleEndian.Uint32(got[44:])
	if int(size) != len(want)/2 || int(place) != len(challenge) {
		t.Errorf("it is said to be %d bytes at %d, want %d at %d", size, place, len(want)/2, len(challenge))
	}
	copy(got[40:48], challenge[40:48])
	if !bytes.Equal(got[:len(challenge)], challenge) {
		t.Error("the rest of the challenge is another one")
	}
}

// TestForeignBindings: what a server has in its challenge in the place of the client's
// own words does not get through: it may be another one's challenge, passed on.
func TestForeignBindings(t *testing.T) {
	planted := []pair{{1, []byte("MAIL")}, {pairService, []byte("there")}, {pairBindings, make([]byte, 16)}, {7, make([]byte, 8)}, {pairBindings, []byte("twice")}}
	for name, own := range map[string][]pair{"bound": bindings("here", &tls.ConnectionState{}), "unbound": nil} {
		out, err := bound(challengeWith(infoOf(planted)), own...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parsePairs(out[binary.LittleEndian.Uint32(out[44:]):])
		if err != nil || len(got) != 2+len(own) || got[0].id != 1 || got[1].id != 7 {
			t.Errorf("%s: the pairs are %v, %v; want the server's two and %v", name, got, err, own)
		}
	}
}

// challengeWith returns a challenge with target information.
func challengeWith(info []byte) []byte {
	m := append([]byte("NTLMSSP\x00"), make([]byte, challengeHeader-8)...)
	m[8], m[20], m[22] = challengeType, 0x01, 0x80           // Unicode, target information
	binary.LittleEndian.PutUint16(m[40:], uint16(len(info))) //nolint:gosec // G115: short.
	binary.LittleEndian.PutUint32(m[44:], challengeHeader)
	return append(m, info...)
}

// TestChallengesThatMakeNoSense: the error says what is the matter with them.
func TestChallengesThatMakeNoSense(t *testing.T) {
	outside := challengeWith(nil)
	outside[40] = 4
	large := challengeWith(infoOf([]pair{{1, make([]byte, 65_500)}}))
	for name, tt := range map[string]struct {
		challenge []byte
		words     string
	}{
		"nothing":             {nil, "no challenge"},
		"another message":     {append([]byte("NTLMSSP\x00\x01"), make([]byte, 60)...), "no challenge"},
		"too short":           {challengeWith(nil)[:47], "no challenge"},
		"outside":             {outside, "48 to 52 of 48 bytes"},
		"no end":              {challengeWith([]byte{1, 0, 2, 0, 'x', 0}), "no end"},
		"cut off":             {challengeWith([]byte{1, 0, 9, 0, 'x', 0}), "9 bytes begins 2 bytes before"},
		"no room for our own": {large, "no room"},
	} {
		if out, err := bound(tt.challenge, bindings("mail", nil)...); err == nil || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: bound = %x, %v; want an error with %q", name, out, err, tt.words)
		}
	}
	if _, err := bound(challengeWith(nil), bindings("mail", nil)...); err != nil {
		t.Errorf("a challenge without target information: %v", err)
	}
}

// FuzzBound takes challenges of all kinds. What comes out has the client's pairs last,
// once, and is understood by what answers it.
func FuzzBound(f *testing.F) {
	specified, _ := hex.DecodeString(specifiedChallenge)
	f.Add(specified)
	f.Add(challengeWith(nil))
	f.Add(challengeWith([]byte{10, 0, 1, 0, 'x', 0, 0, 0, 0}))
	f.Add(challengeWith([]byte{7, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0}))
	f.Fuzz(func(t *testing.T, challenge []byte) {
		own := bindings("mail.example.com", nil)
		out, err := bound(challenge, own...)
		if err != nil {
			return
		}
		size, place := int(binary.LittleEndian.Uint16(out[40:])), int(binary.LittleEndian.Uint32(out[44:]))
		if place != len(challenge) || place+size != len(out) {
			t.Fatalf("%d bytes of target information at %d of %d, want them behind %d", size, place, len(out), len(challenge))
		}
		got, err := parsePairs(out[place:])
		if err != nil || len(got) < 2 {
			t.Fatalf("parsePairs of what was made = %v, %v", got, err)
		}
		for i, p := range got {
			last := i - (len(got) - len(own))
			if (p.id == pairService || p.id == pairBindings) != (last >= 0) {
				t.Errorf("pair %d of %d has the id %d", i, len(got), p.id)
			}
			if last >= 0 && (p.id != own[last].id || !bytes.Equal(p.value, own[last].value)) {
				t.Errorf("pair %d is %v, want %v", i, p, own[last])
			}
		}
		answer, err := ntlmssp.NewAuthenticateMessage(out, "ann", "correct horse", nil)
		if err == nil && !bytes.Contains(answer, infoOf(own)) {
			t.Error("the answer does not repeat the pairs")
		}
	})
}
