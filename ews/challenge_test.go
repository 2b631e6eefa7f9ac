package ews

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// written says what challenges are, in one text.
func written(all []challenge) string {
	var words []string
	for _, c := range all {
		words = append(words, strings.TrimSpace(c.scheme+" "+c.token))
	}
	return strings.Join(words, " | ")
}

// TestChallenges: one field or several, one line or several, in whatever case.
func TestChallenges(t *testing.T) {
	for _, tt := range []struct {
		fields []string
		want   string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"NTLM"}, "NTLM"},
		{[]string{"Negotiate", "NTLM", `Basic realm="mail"`}, "Negotiate | NTLM | Basic"},
		{[]string{`Negotiate, NTLM, Basic realm="x, y"`}, "Negotiate | NTLM | Basic"},
		{[]string{`Basic realm="x, NTLM", ntlm`}, "Basic | ntlm"},
		{[]string{`basic realm="a \" NTLM, b",charset="UTF-8",negotiate`}, "basic | negotiate"},
		{[]string{"NTLM TlRMTVNTUAACAAAA==, Negotiate"}, "NTLM TlRMTVNTUAACAAAA== | Negotiate"},
		{[]string{"NTLM\tTlRM/+Zz ,Basic"}, "NTLM TlRM/+Zz | Basic"},
		{[]string{`Bearer client_id="0000", trusted_issuers="a@b,c@d", token_types="x y", Basic realm=mail`}, "Bearer | Basic"},
		{[]string{`Bearer realm = "x" , error="invalid_token"`, "NTLM"}, "Bearer | NTLM"},
		{[]string{`Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple"`}, "Newauth | Basic"},
		{[]string{", ,Basic,, NTLM ,"}, "Basic | NTLM"},
		{[]string{`Basic realm="no end, NTLM`, "Negotiate"}, "Basic | Negotiate"},
		{[]string{`Basic realm="a" charset="b" NTLM`}, "Basic | NTLM"},
		{[]string{`="x, y", @@@ , Basic/1, NTLM`}, "NTLM"},
		{[]string{"Digest qop=auth,algorithm=MD5,nonce=abc=="}, "Digest"},
		{[]string{strings.Repeat("A,", 100)}, strings.Repeat("A | ", maxChallenges-1) + "A"},
	} {
		h := http.Header{"Www-Authenticate": tt.fields}
		if got := written(challengesOf(h)); got != tt.want {
			t.Errorf("challengesOf(%q) = %q, want %q", tt.fields, got, tt.want)
		}
	}
	h := http.Header{"Www-Authenticate": {"NTLM, Negotiate", "ntlm"}}
	if got := schemesOf(h); !slices.Equal(got, []string{"NTLM", "Negotiate"}) {
		t.Errorf("schemesOf(%q) = %q, want each once", h, got)
	}
}

// FuzzChallenges: what is read of a field is read of a field that says the same, also
// where another challenge or a parameter stands around it.
func FuzzChallenges(f *testing.F) {
	for _, s := range []string{`Negotiate, NTLM, Basic realm="x, y"`, "NTLM TlRMTVNTUAACAAAA==", `="x", Bearer a=b, c = "d\"", e`, `Basic realm="`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all := parseChallenges(s)
		var fields []string
		for _, c := range all {
			if name, rest := cutToken(c.scheme); name == "" || rest != "" {
				t.Fatalf("parseChallenges(%q): the scheme %q is no token", s, c.scheme)
			}
			fields = append(fields, strings.TrimSpace(c.scheme+" "+c.token))
		}
		for _, again := range []string{strings.Join(fields, ","), strings.Join(fields, " , ") + ` , `} {
			if got := parseChallenges(again); !slices.Equal(got, all) {
				t.Fatalf("parseChallenges(%q) = %v, want %v as of %q", again, got, all, s)
			}
		}
		if len(all) < maxChallenges {
			before := parseChallenges(fmt.Sprintf(`Basic realm="%s", `, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)) + strings.Join(fields, ","))
			if len(before) != len(all)+1 || !slices.Equal(before[1:], all) {
				t.Fatalf("behind a realm %q, the challenges are %v, want %v", s, before, all)
			}
		}
	})
}
