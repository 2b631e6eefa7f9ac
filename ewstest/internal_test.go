package ewstest

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
)

// TestMD4 compares with the test suite of RFC 1320, appendix A.5.
func TestMD4(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "31d6cfe0d16ae931b73c59d7e0c089c0",
		"a":                             "bde52cb31de33e46245e05fbdbd6fb24",
		"abc":                           "a448017aaf21d8525fc10ae87aa6729d",
		"message digest":                "d9130a8164549fe818874806e1c7014b",
		"abcdefghijklmnopqrstuvwxyz":    "d79e1c308aa5bbcdeea8ed63df412da9",
		strings.Repeat("1234567890", 8): "e33b4ddc9c38f2199c3e7b164fcc0536",
	} {
		if got := md4([]byte(text)); hex.EncodeToString(got[:]) != want {
			t.Errorf("md4(%q) = %x, want %s", text, got, want)
		}
	}
}

// TestNTLMv2 compares with the example of [MS-NLMP], section 4.2.4.
func TestNTLMv2(t *testing.T) {
	challenge, _ := hex.DecodeString("0123456789abcdef")
	response, _ := hex.DecodeString("68cd0ab851e51c96aabc927bebef6a1c" + "0101000000000000" + "0000000000000000" + "aaaaaaaaaaaaaaaa" + "00000000" +
		"02000c0044006f006d00610069006e00" + "01000c00530065007200760065007200" + "00000000" + "00000000")
	p := ntlmProof{user: "User", domain: "Domain", response: response}
	if !p.holds(challenge, "Password") {
		t.Error("the answer to the challenge is refused, want it taken")
	}
	for _, wrong := range []string{"password", ""} {
		if p.holds(challenge, wrong) {
			t.Errorf("the answer is taken for the password %q", wrong)
		}
	}
	if parsed, ok := parseAuthenticate(make([]byte, 63)); ok {
		t.Errorf("a short message is read as %v", parsed)
	}
}

func TestIDsAreOpaqueAndCheckedWhole(t *testing.T) {
	i := id{kind: itemKind, mailbox: 1, folder: 2, message: 3}
	text := i.String()
	if got, err := parseID(text, itemKind); err != nil || got != i {
		t.Errorf("parseID(%s) = %v, %v, want %v", text, got, err, i)
	}
	for _, wrong := range []string{"", "x", strings.ToLower(text), text[:len(text)-4], id{kind: folderKind}.String()} {
		if got, err := parseID(wrong, itemKind); err == nil {
			t.Errorf("parseID(%q) = %v, want an error", wrong, got)
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	h := masked(http.Header{"Authorization": {"Bearer token-horse"}, "Cookie": {"a=horse"}, "Accept": {"x"}})
	if h.Get("Authorization") != "Bearer [redacted]" || h.Get("Cookie") != "[redacted]" || h.Get("Accept") != "x" {
		t.Errorf("masked = %v", h)
	}
}

// TestTextOfHTML: styles and scripts are no text.
func TestTextOfHTML(t *testing.T) {
	for html, want := range map[string]string{
		"<p>Tea &amp; cake</p>":                             "Tea & cake",
		"<STYLE type=x>p { color: red }</STYLE ><p>Tea</p>": "Tea",
		"<script>if (a<b) {}</script>Tea":                   "Tea",
		"<styled>Tea</styled>":                              "Tea",
	} {
		if got := stripHTML(html); got != want {
			t.Errorf("stripHTML(%q) = %q, want %q", html, got, want)
		}
	}
}
