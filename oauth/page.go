package oauth

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// pageStyle is the style sheet of the page, which the policy allows by its hash.
const pageStyle = `
:root { color-scheme: light dark; font: 1.05rem/1.5 system-ui, sans-serif; }
body { margin: 0; padding: 2rem 1.25rem; }
main { max-width: 34rem; margin: 0 auto; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 0 0 .75rem; }
p { margin: 0 0 .75rem; overflow-wrap: anywhere; }
`

// pageText is the page that the user sees at the end of a sign-in. It needs
// nothing from anywhere else.
const pageText = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>{{.Style}}</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
{{range .Lines}}<p>{{.}}</p>
{{end}}</main>
</body>
</html>
`

// page is what a page says.
type page struct {
	Title string
	Lines []string
}

// resultPage says how a sign-in ended.
func resultPage(err error) page {
	if err == nil {
		return page{"You are signed in", []string{"You can close this page and go back to the program."}}
	}
	lines := []string{err.Error()}
	if e, ok := errors.AsType[*Error](err); ok {
		// What to do comes first, what happened after it.
		remedy := e.Remedy()
		lines = []string{strings.ToUpper(remedy[:1]) + remedy[1:] + ".", strings.TrimSuffix(err.Error(), "; "+remedy)}
	}
	return page{"The sign-in failed", append(lines, "You can close this page and go back to the program.")}
}

// write answers with the page. Nothing in it is fetched, run, framed, stored or
// told to another site.
func (p page) write(w http.ResponseWriter, status int) {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		http.Error(w, p.Title, http.StatusInternalServerError)
		return
	}
	var body bytes.Buffer
	err = t.Execute(&body, struct {
		page
		Style template.CSS
	}{p, pageStyle})
	if err != nil {
		http.Error(w, p.Title, http.StatusInternalServerError)
		return
	}
	sum := sha256.Sum256([]byte(pageStyle))
	h := w.Header()
	protect(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // The browser may be gone.
}

// protect sets the headers of every answer.
func protect(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}
