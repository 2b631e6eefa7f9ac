package ews

import (
	"bytes"
	"crypto/md5" //nolint:gosec // G501: what the binding is made of.
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf16"
)

// What the proof of a password is bound to, which Windows calls Extended Protection
// for Authentication: it is of no use on another connection than the one for which it
// was made, nor at another server.

// The ids of the pairs that matter here ([MS-NLMP] section 2.2.2.1).
const (
	pairEnd      = 0
	pairService  = 9  // MsvAvTargetName
	pairBindings = 10 // MsvAvChannelBindings
)

// Where things are in a CHALLENGE_MESSAGE ([MS-NLMP] section 2.2.1.2).
const (
	challengeType   = 2
	challengeInfo   = 40 // length, room and place of the target information
	challengeHeader = 48
)

// pair is one piece of the target information of a challenge: AV_PAIR.
type pair struct {
	id    uint16
	value []byte
}

// parsePairs takes target information apart, up to its end, which is not among the
// pairs.
func parsePairs(info []byte) ([]pair, error) {
	var all []pair
	for len(info) >= 4 {
		id, size := binary.LittleEndian.Uint16(info), int(binary.LittleEndian.Uint16(info[2:]))
		if info = info[4:]; id == pairEnd {
			return all, nil
		}
		if size > len(info) {
			return nil, fmt.Errorf("a value of %d bytes begins %d bytes before the end of the target information", size, len(info))
		}
		all, info = append(all, pair{id, info[:size]}), info[size:]
	}
	return nil, errors.New("the target information has no end")
}

// infoOf returns target information, with its end.
func infoOf(all []pair) []byte {
	var b []byte
	for _, p := range append(slices.Clip(all), pair{id: pairEnd}) {
		b = binary.LittleEndian.AppendUint16(b, p.id)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(p.value))) //nolint:gosec // G115: checked as a whole.
		b = append(b, p.value...)
	}
	return b
}

// bound returns a server's challenge with pairs in its target information, which the
// answer repeats and proves along with the password ([MS-NLMP] section 3.1.5.2.1).
// Those of their kind that the server has in it are left out: whoever passes another
// one's challenge on could have put them there.
func bound(challenge []byte, own ...pair) ([]byte, error) {
	if len(challenge) < challengeHeader || !bytes.HasPrefix(challenge, []byte("NTLMSSP\x00")) || binary.LittleEndian.Uint32(challenge[8:]) != challengeType {
		return nil, errors.New("it is no challenge of NTLM")
	}
	size := uint64(binary.LittleEndian.Uint16(challenge[challengeInfo:]))
	place := uint64(binary.LittleEndian.Uint32(challenge[challengeInfo+4:]))
	if size > 0 && place+size > uint64(len(challenge)) {
		return nil, fmt.Errorf("its target information is said to be at %d to %d of %d bytes", place, place+size, len(challenge))
	}
	var all []pair
	if size > 0 {
		var err error
		if all, err = parsePairs(challenge[place : place+size]); err != nil {
			return nil, err
		}
	}
	all = slices.DeleteFunc(all, func(p pair) bool { return p.id == pairService || p.id == pairBindings })
	info := infoOf(append(all, own...))
	if len(info) > math.MaxUint16 {
		return nil, fmt.Errorf("its target information has no room: there are %d bytes of it", len(info))
	}
	out := slices.Clone(challenge)
	binary.LittleEndian.PutUint16(out[challengeInfo:], uint16(len(info)))        //nolint:gosec // G115: checked above.
	binary.LittleEndian.PutUint16(out[challengeInfo+2:], uint16(len(info)))      //nolint:gosec // G115: checked above.
	binary.LittleEndian.PutUint32(out[challengeInfo+4:], uint32(len(challenge))) //nolint:gosec // G115: it came in a header.
	return append(out, info...), nil
}

// bindings returns the pairs that bind an answer to a server and to the channel to
// it, of which state is nil where it is not encrypted.
func bindings(host string, state *tls.ConnectionState) []pair {
	channel := make([]byte, md5.Size) // what there is to say of a channel without a certificate
	if state != nil && len(state.PeerCertificates) > 0 {
		if data := endPoint(state.PeerCertificates[0]); data != nil {
			channel = channelBindings(data)
		}
	}
	var service []byte
	for _, unit := range utf16.Encode([]rune("HTTP/" + host)) {
		service = binary.LittleEndian.AppendUint16(service, unit)
	}
	return []pair{{pairBindings, channel}, {pairService, service}}
}

// endPoint returns what tells a channel by the certificate of its server, nil where
// that is not defined for how the certificate is signed (RFC 5929 section 4.1).
func endPoint(certificate *x509.Certificate) []byte {
	const prefix = "tls-server-end-point:"
	switch certificate.SignatureAlgorithm { //nolint:exhaustive // there is no hash for the others
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1, // too weak, and replaced
		x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.DSAWithSHA256, x509.ECDSAWithSHA256:
		hash := sha256.Sum256(certificate.Raw)
		return append([]byte(prefix), hash[:]...)
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		hash := sha512.Sum384(certificate.Raw)
		return append([]byte(prefix), hash[:]...)
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		hash := sha512.Sum512(certificate.Raw)
		return append([]byte(prefix), hash[:]...)
	}
	return nil
}

// channelBindings returns the hash of a gss_channel_bindings_struct that has no
// addresses (RFC 2744 section 3.11, RFC 4121 section 4.1.1.2).
func channelBindings(data []byte) []byte {
	b := make([]byte, 16, 20+len(data))                        // types and lengths of two addresses
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data))) //nolint:gosec // G115: a prefix and a hash.
	hash := md5.Sum(append(b, data...))                        //nolint:gosec // G401: as it is defined.
	return hash[:]
}
