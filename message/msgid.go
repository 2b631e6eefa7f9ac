package message

import "strings"

// parseIDs returns up to limit message identifiers from a field such as
// References (RFC 5322 section 3.6.4), without their angle brackets. Text
// between them is passed over, and white space inside them, which comes from
// folding. Where no bracket is, every word with an @ counts, and in a field of
// one word that word.
func parseIDs(s string, limit int) []string {
	var ids []string
	if !strings.Contains(s, "<") {
		words := strings.FieldsFunc(oneLine(s), func(r rune) bool { return r == ' ' || r == '>' || r == ',' || r == ';' })
		for _, w := range words {
			if len(ids) < limit && (len(words) == 1 || strings.Contains(w, "@")) {
				ids = append(ids, w)
			}
		}
		return ids
	}
	for len(ids) < limit {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			break
		}
		s = s[i+1:]
		end := strings.IndexAny(s, "<>")
		if end < 0 {
			end = len(s)
		}
		if id := strings.ReplaceAll(oneLine(s[:end]), " ", ""); id != "" {
			ids = append(ids, id)
		}
		s = s[end:]
	}
	return ids
}
