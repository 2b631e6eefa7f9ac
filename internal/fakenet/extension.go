package fakenet

import "strings"

// Extension returns the parameters of an extension, or capability, among those that a
// server announces, each as a line that begins with its keyword.
func Extension(lines []string, keyword string) (params string, ok bool) {
	for _, line := range lines {
		name, params, _ := strings.Cut(line, " ")
		if strings.EqualFold(name, keyword) {
			return params, true
		}
	}
	return "", false
}
