// Package leak finds secrets of the tests in what the tests print.
//
// It can do so because every secret of a test is recognisable:
//
//   - passwords, passphrases, client secrets and tokens that are written in a
//     test hold [Marker] somewhere;
//   - what is made up is a prefix, a hyphen and the text of [rand.Text], such
//     as "at-", "rt-" or "code-" with 26 letters and digits;
//   - keys, JSON Web Tokens and age identities have forms of their own.
//
// They are found in plain text and through what a program may have wrapped
// them in: base64, hexadecimal, URL encoding, escapes of strings and of HTML,
// and bytes printed as numbers, also one in another.
package leak

import (
	"regexp"
	"slices"
	"strings"
)

// Marker is part of every password, passphrase, client secret and token that
// is written in a test, as in "correct horse battery staple". It is letters
// alone, which no quoting changes.
const Marker = "horse"

// A Kind says what a secret is.
type Kind string

// What is found.
const (
	Password   Kind = "password or other fixed secret"
	Token      Kind = "random token"
	State      Kind = "state or nonce of a sign-in"
	JWT        Kind = "JSON Web Token"
	PrivateKey Kind = "private key"
	Identity   Kind = "age identity"
)

// A Hit is one secret in a text. It does not hold the secret.
type Hit struct {
	Kind Kind
	// Through names what the secret is wrapped in, from the inside out, such
	// as "base64 in URL encoding"; it is empty for a secret in plain text.
	Through string
	// Start is where in the text the secret begins, or what it is wrapped in.
	// Fixed secrets may begin before their marker, which is at Start then.
	Start int
}

// maxDepth is how many wrappings are looked into, one in another.
const maxDepth = 3

// Find returns the secrets in a text, each kind once for each wrapping, in the
// order of their beginnings.
func Find(text string) []Hit {
	f := finder{seen: map[Hit]bool{}}
	f.look(text, 0, nil)
	slices.SortFunc(f.hits, func(a, b Hit) int { return a.Start - b.Start })
	return f.hits
}

// A finder collects the hits of one text.
type finder struct {
	hits []Hit
	seen map[Hit]bool // without Start
}

// look searches text, which begins at start of the whole and came out of the
// wrappings in through, the outer one first.
func (f *finder) look(text string, start int, through []string) {
	for _, form := range forms() {
		if at := form.find(text); at >= 0 {
			if len(through) == 0 {
				f.add(form.kind, at, through)
			} else {
				f.add(form.kind, start, through)
			}
		}
	}
	if len(through) == maxDepth || !readable(text) {
		return
	}
	for w := range unwrap(text) {
		if len(through) == 0 {
			start = w.start
		}
		f.look(w.text, start, append(slices.Clip(through), w.name))
	}
}

func (f *finder) add(kind Kind, start int, through []string) {
	inside := slices.Clone(through)
	slices.Reverse(inside)
	h := Hit{Kind: kind, Through: strings.Join(inside, " in ")}
	if f.seen[h] {
		return
	}
	f.seen[h] = true
	h.Start = start
	f.hits = append(f.hits, h)
}

// A form is how one kind of secret is recognised.
type form struct {
	kind Kind
	find func(text string) int // the offset of the first one, or -1
}

func forms() []form {
	return []form{
		{Password, func(text string) int { return strings.Index(text, Marker) }},
		{Token, findToken},
		{State, findState},
		{JWT, findJWT},
		{PrivateKey, findKey},
		{Identity, findIdentity},
	}
}

// The alphabet of rand.Text, how much of it makes a token, how long the state
// of a sign-in is, and how many different letters either has: a row of one
// letter is none.
const (
	minToken    = 16
	stateLength = 52
	minDistinct = 6
)

// findToken finds a prefix in lower case and a hyphen with random text behind
// it. The prefix tells tokens from an answer such as 250-ENHANCEDSTATUSCODES.
func findToken(text string) int {
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '-')
		if i < 0 {
			return -1
		}
		at += i + 1
		if start := prefixBefore(text, at-1); start < at-1 && random(text[at:], minToken) {
			return start
		}
	}
}

// prefixBefore returns where the letters in lower case in front of at begin.
func prefixBefore(text string, at int) int {
	return len(strings.TrimRight(text[:at], "abcdefghijklmnopqrstuvwxyz"))
}

// findState finds random text of the length of a state.
func findState(text string) int {
	for at := 0; at+stateLength <= len(text); at++ {
		n := base32Run(text[at:])
		if n >= stateLength && random(text[at:], stateLength) {
			return at
		}
		at += n
	}
	return -1
}

// base32Run returns how many bytes at the beginning of text rand.Text could
// have written.
func base32Run(text string) int {
	n := 0
	for n < len(text) && ('A' <= text[n] && text[n] <= 'Z' || '2' <= text[n] && text[n] <= '7') {
		n++
	}
	return n
}

// random reports whether text begins with at least atLeast bytes of rand.Text.
func random(text string, atLeast int) bool {
	n := base32Run(text)
	if n < atLeast {
		return false
	}
	distinct := map[byte]bool{}
	for _, c := range []byte(text[:n]) {
		distinct[c] = true
	}
	return len(distinct) >= minDistinct
}

func findJWT(text string) int {
	return match(text, "eyJ", `eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*`)
}

func findIdentity(text string) int {
	return match(text, "AGE-SECRET-KEY-", `AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{10,}`)
}

// findKey finds a private key in PEM, as a JSON Web Key, or in DER at the
// beginning of text, of which a line of PEM's base64 is enough.
func findKey(text string) int {
	if isDERKey(text) {
		return 0
	}
	if at := match(text, "-----BEGIN ", `-----BEGIN [A-Z0-9 ]*PRIVATE KEY`); at >= 0 {
		return at
	}
	return match(text, `"d"`, `"d"\s*:\s*"[\w-]{20,}"`)
}

// match finds a pattern in a text that holds its literal part; most do not.
func match(text, literal, pattern string) int {
	if !strings.Contains(text, literal) {
		return -1
	}
	at := regexp.MustCompile(pattern).FindStringIndex(text)
	if at == nil {
		return -1
	}
	return at[0]
}

// isDERKey reports whether text begins like a private key in DER: a sequence
// whose first element is the version, and whose second one is an algorithm
// (PKCS #8), a modulus (PKCS #1) or a scalar (SEC 1).
func isDERKey(text string) bool {
	rest, ok := strings.CutPrefix(text, "\x30")
	if !ok || len(rest) < 8 {
		return false
	}
	skip := 1 // the length, and its own length in front where it is long
	if rest[0] >= 0x81 && rest[0] <= 0x84 {
		skip += int(rest[0] & 0x0f)
	}
	rest = rest[skip:]
	for _, start := range []string{"\x02\x01\x00\x30", "\x02\x01\x01\x30", "\x02\x01\x00\x02\x82", "\x02\x01\x01\x04"} {
		if strings.HasPrefix(rest, start) {
			return true
		}
	}
	return false
}
