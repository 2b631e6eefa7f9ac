package message

import (
	"strings"
	"unicode/utf8"
)

// Subjects of answers and of forwarded messages begin with these words and a
// colon. They are in lower case and between spaces.
const (
	// replyPrefixes are English, German, Scandinavian, Dutch, Finnish, Italian,
	// French, Polish, Turkish, Welsh, Portuguese, Greek, Hebrew, Chinese. Those
	// that subjects begin with on their own account, such as "Ref:", are not among
	// them.
	replyPrefixes = " re aw antwort sv antw vs rif rép odp ynt atb res απ σχετ השב תשובה 回复 答复 回覆 答覆 "
	// forwardPrefixes are English, German, French, Spanish, Finnish,
	// Scandinavian, Dutch, Italian, Portuguese, Polish, Turkish, Hungarian, Greek,
	// Chinese, Hebrew.
	forwardPrefixes = " fwd fw wg tr rv vl vb vid doorst enc pd pds ilt i̇lt továbbítás πρθ 转发 轉寄 הועבר "
	// letterPrefixes are those of Outlook in Italian: for an answer, and for a
	// forwarded message. They are too short to be taken away from a subject for
	// good.
	letterPrefixes = " r i "
)

// cutPrefix returns s without one of the prefixes, such as "Re:", "AW :" or
// "Re[2]:".
func cutPrefix(s, prefixes string) (string, bool) {
	s = strings.TrimSpace(s)
	i := strings.IndexAny(s[:min(len(s), 24)], ":：")
	if i <= 0 || i > 20 {
		return s, false
	}
	prefix := strings.ToLower(strings.TrimSpace(s[:i]))
	if j := strings.IndexAny(prefix, "[(^"); j > 0 && strings.Trim(prefix[j:], "[]()^0123456789") == "" {
		prefix = strings.TrimSpace(prefix[:j])
	}
	if prefix == "" || strings.Contains(prefix, " ") || !strings.Contains(prefixes, " "+prefix+" ") {
		return s, false
	}
	_, colon := utf8.DecodeRuneInString(s[i:])
	return strings.TrimSpace(s[i+colon:]), true
}

// BaseSubject returns what the subjects of a conversation have in common: the
// subject without what mail programs and mailing lists put around it, as RFC 5256
// section 2.1 says: "Re: ", "Fwd: ", "[list] ", " (fwd)" and "[Fwd: ...]", in any
// number and order. Prefixes of other languages count too, such as "AW:", "SV:",
// "RV:" and "回复：", and counted ones, such as "Re[2]:". White space is one
// space. The case is kept; compare with [strings.EqualFold].
func BaseSubject(subject string) string {
	base, _ := baseSubject(subject)
	return base
}

// baseSubject returns the base subject, and whether the subject is that of an
// answer or of a forwarded message.
func baseSubject(subject string) (base string, derived bool) {
	s := strings.Join(strings.Fields(strings.ToValidUTF8(subject, "\uFFFD")), " ")
	for {
		var cut bool
		s, cut = cutTrailers(s)
		derived = derived || cut
		if s, cut = cutLeaders(s); cut {
			derived = true
		}
		rest, ok := cutFolded(s, "[fwd:")
		if !ok || !strings.HasSuffix(rest, "]") {
			return s, derived
		}
		s, derived = strings.TrimSpace(rest[:len(rest)-1]), true
	}
}

// cutFolded returns s without an ASCII prefix in whatever case.
func cutFolded(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// cutTrailers returns s without "(fwd)" at its end.
func cutTrailers(s string) (string, bool) {
	const trailer = "(fwd)"
	var cut bool
	for {
		s = strings.TrimRight(s, " ")
		n := len(s) - len(trailer)
		if n < 0 || !strings.EqualFold(s[n:], trailer) {
			return s, cut
		}
		s, cut = s[:n], true
	}
}

// cutLeaders returns s without prefixes and names of lists at its beginning. A
// name of a list stays if there is nothing else.
func cutLeaders(s string) (_ string, cut bool) {
	for {
		rest, ok := cutPrefix(s, replyPrefixes)
		if !ok {
			rest, ok = cutPrefix(s, forwardPrefixes)
		}
		if !ok {
			rest, ok = cutPrefix(s, letterPrefixes)
		}
		if ok {
			s, cut = rest, true
			continue
		}
		if rest, ok = cutBlob(s); !ok {
			return s, cut
		}
		s = rest
	}
}

// cutBlob returns s without a word in square brackets that it begins with, if
// anything is left.
func cutBlob(s string) (string, bool) {
	if !strings.HasPrefix(s, "[") {
		return s, false
	}
	i := strings.IndexAny(s[1:], "[]") + 1
	if i == 0 || s[i] != ']' {
		return s, false
	}
	if _, ok := cutFolded(s, "[fwd:"); ok {
		return s, false
	}
	rest := strings.TrimSpace(s[i+1:])
	return rest, rest != ""
}
