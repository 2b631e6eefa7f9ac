package message_test

import (
	"testing"

	"github.com/mailsession/mailsession/message"
)

func TestAddresses(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"ann@example.com", "|ann@example.com"},
		{"<ann@example.com>", "|ann@example.com"},
		{"Ann Example <ann@example.com>", "Ann Example|ann@example.com"},
		{`"Ann \"A\" Example" <ann@example.com>`, `Ann "A" Example|ann@example.com`},
		{`Ann "A" Example <ann@example.com>`, "Ann A Example|ann@example.com"},
		{"ann@example.com (Ann Example)", "Ann Example|ann@example.com"},
		{"<ann@example.com> (Ann (the) \\) Example)", "Ann (the) ) Example|ann@example.com"},
		{"Ann (not Bob) Example <ann@example.com>", "Ann Example|ann@example.com"},
		{"a@x, b@y,c@z", "|a@x |b@y |c@z"},
		{"a@x;b@y", "|a@x |b@y"},
		{"a@x,, ,b@y,", "|a@x |b@y"},
		{"Ann <a@x>,, ,Bob <b@y>,", "Ann|a@x Bob|b@y"},
		// Groups.
		{"undisclosed-recipients:;", ""},
		{"Undisclosed recipients: ;", ""},
		{"undisclosed recipients", ""},
		{"Friends: Ann <a@x>, b@y; c@z", "Ann|a@x |b@y |c@z"},
		{"A Group(with: comment):Ed <a@x>;", "Ed|a@x"},
		{"\"a:b\" <a@x>", "a:b|a@x"},
		// Forms of RFC 5322, appendix A.
		{`Pete(A nice \) chap) <pete(his account)@silly.test(his host)>`, "Pete|pete@silly.test"},
		{"Mary Smith <@machine.tld:mary@example.net>, , jdoe@test   . example", "Mary Smith|mary@example.net |jdoe@test.example"},
		{"John Doe <jdoe@machine(comment).  example>", "John Doe|jdoe@machine.example"},
		{"<@a.test,@b.test:c@d.test>", "|c@d.test"},
		// Brackets, quotes and comments that are wrong.
		{"Ann ann@example.com", "Ann|ann@example.com"},
		{"Ann <ann@example.com", "Ann|ann@example.com"},
		{"Ann <ann@example.com, Bob <bob@example.org>", "Ann|ann@example.com Bob|bob@example.org"},
		{"Ann <<ann@example.com>>", "Ann|ann@example.com"},
		{"ann@example.com>", "|ann@example.com"},
		{"Ann <a@x> Bob <b@y>\t<c@z>", "Ann|a@x Bob|b@y |c@z"},
		{"Ann <annie> <a@x>", "Ann <annie>|a@x"},
		{"Ann <annie <a@x>", "Ann <annie|a@x"},
		{`"Ann <ann@example.com>`, `"Ann|ann@example.com`},
		{"Ann (the <ann@example.com>", "Ann (the|ann@example.com"},
		{"Doe, John <john@example.com>, b@y", "Doe, John|john@example.com |b@y"},
		{"b@y, Doe, John <john@example.com>", "|b@y Doe, John|john@example.com"},
		{`"ann@example.com"`, "|ann@example.com"},
		{"ann@example.com <ann@example.com>", "ann@example.com|ann@example.com"},
		{"Ann <mailto:ann@example.com>", "Ann|ann@example.com"},
		{"mailto:ann@example.com", "|ann@example.com"},
		{"a@x b@y", "|a@x |b@y"},
		{"ann @ example.com", "|ann@example.com"},
		{"Ann <a b@example.com>", "Ann|a b@example.com"},
		{"Ann < a . b @ example . com >", "Ann|a.b@example.com"},
		{"Ann <> ", ""},
		{"Ann <Ann Example>", ""},
		{"Ann Example", ""},
		{`"Ann Example"`, ""},
		// Mailboxes of the server itself.
		{"MAILER-DAEMON (Mail Delivery System)", "Mail Delivery System|MAILER-DAEMON"},
		{"root, ann@example.com", "|root |ann@example.com"},
		{"Cron <root>", "Cron|root"},
		// Local parts in quotes lose them, as in net/mail.
		{`"two words"@example.com`, "|two words@example.com"},
		{`<"a\"b@c"@example.com>`, `|a"b@c@example.com`},
		{"ann@[IPv6:::1], bob@[192.0.2.1]", "|ann@[IPv6:::1] |bob@[192.0.2.1]"},
		// Encoded words.
		{"=?utf-8?q?J=C3=BCrgen?= <j@x>", "Jürgen|j@x"},
		{`"=?utf-8?q?J=C3=BCrgen?= (x)" <j@x>`, "Jürgen (x)|j@x"},
		{"j@x (=?utf-8?q?J=C3=BCrgen?=)", "Jürgen|j@x"},
		{"=?utf-8?q?Doe=2C_J=C3=BCrgen?= <j@x>, b@y", "Doe, Jürgen|j@x |b@y"},
		{"=?utf-8?q?Ann_=3Cann=40example.com=3E?=", "Ann|ann@example.com"},
		// Only a whole mailbox is looked into: this is not from the president.
		{"=?utf-8?q?president=40white.example?= <mallory@example.com>", "president@white.example|mallory@example.com"},
		{"=?utf-8?q?president=40white.example=00?=@evil.example", "|=?utf-8?q?president=40white.example=00?=@evil.example"},
		{"J\xfcrgen <j@x>, J\xfcrgen@x", "Jürgen|j@x |Jürgen@x"},
		{"=?utf-8?q?a=0D=0Ab?= <a@x>", "a b|a@x"},
	}
	for _, tt := range tests {
		h := message.ParseHeader([]byte("To: " + tt.in + "\r\n\r\n"))
		checkHeader(t, h)
		if s := names(h.To()); s != tt.want {
			t.Errorf("To() = %q for %q, want %q", s, tt.in, tt.want)
		}
	}
}

func TestAddressesOfSeveralFields(t *testing.T) {
	h := message.ParseHeader([]byte("To: a@x\r\nCc: b@x\r\nto: c@x\r\nReply-To: d@x\r\nFrom: e@x\r\n\r\n"))
	for name, got := range map[string]string{
		"|a@x |c@x": names(h.To()), "|b@x": names(h.Cc()), "|d@x": names(h.ReplyTo()), "|e@x": names(h.From()),
	} {
		if got != name {
			t.Errorf("addresses are %q, want %q", got, name)
		}
	}
}
