package imaptest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// script is one of the scripts that Dovecot's imaptest has: a head, and commands
// with what has to come, may not come, or may come upon them.
type script struct {
	capabilities []string
	state        string
	messages     string
	connections  int
	steps        []scriptStep
}

type scriptStep struct {
	conn                int // from 1
	want, command       string
	expected, forbidden []string
}

// parseScript reads a script. Text between "{{{" and "}}}" becomes a literal.
func parseScript(text string) script {
	s := script{state: "selected", connections: 1}
	head, body, _ := strings.Cut(text, "\n\n")
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "capabilities":
			s.capabilities = strings.Fields(strings.ToUpper(value))
		case "state":
			s.state = value
		case "messages":
			s.messages = value
		case "connections":
			s.connections, _ = strconv.Atoi(value)
		}
	}
	for line := range strings.SplitSeq(foldLiterals(body), "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "", strings.HasPrefix(line, "#"), mark == "?":
		case mark == "*":
			last := &s.steps[len(s.steps)-1]
			last.expected = append(last.expected, rest)
		case mark == "!":
			last := &s.steps[len(s.steps)-1]
			last.forbidden = append(last.forbidden, rest)
		default:
			s.steps = append(s.steps, parseStep(mark, rest))
		}
	}
	return s
}

func parseStep(mark, rest string) scriptStep {
	step := scriptStep{conn: 1}
	if n, err := strconv.Atoi(mark); err == nil {
		step.conn = n
		mark, rest, _ = strings.Cut(rest, " ")
	}
	step.want, step.command = strings.Trim(mark, `"`), rest
	return step
}

// foldLiterals writes each "{{{" block as a literal whose line ends are marked,
// so that a command or an answer is one line.
func foldLiterals(body string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(body, "{{{\n")
		b.WriteString(strings.TrimSuffix(before, "~"))
		if !found {
			return b.String()
		}
		data, after, _ := strings.Cut(rest, "\n}}}")
		data = mailtest.CRLF(data)
		fmt.Fprintf(&b, "{%d+}\r\v%s", len(data), strings.ReplaceAll(data, "\n", "\v"))
		body = after
	}
}

// player runs a script at a server.
type player struct {
	conns     []*scriptConn
	variables map[string]string
	messages  []mailtest.Message // of the mbox, appended one after the other
	appended  int
	tags      int
}

// scriptConn is one connection and what it knows of the numbers of messages.
type scriptConn struct {
	io.ReadWriter
	r         *bufio.Reader
	originals []int // the number that each message had when the command was sent
	told      int
}

// errScript says where a script and the server disagree.
var errScript = errors.New("script")

func (p *player) run(s *script) error {
	for _, step := range s.steps {
		if step.conn > len(p.conns) {
			return fmt.Errorf("%w: connection %d", errScript, step.conn)
		}
		if err := p.step(p.conns[step.conn-1], &step); err != nil {
			return fmt.Errorf("%q: %w", step.command, err)
		}
	}
	return nil
}

// step sends a command and compares what comes.
func (p *player) step(c *scriptConn, step *scriptStep) error {
	command := step.command
	if command == "append" {
		raw := p.messages[p.appended%len(p.messages)].Raw
		p.appended++
		command = fmt.Sprintf("append $mailbox {%d+}\r\n%s", len(raw), raw)
	}
	c.renumber()
	p.tags++
	tag := "t" + strconv.Itoa(p.tags)
	p.variables["tag"] = tag
	command = strings.ReplaceAll(p.expand(c, command), "\v", "\n")
	if _, err := io.WriteString(c, tag+" "+command+"\r\n"); err != nil {
		return err
	}
	met := make([]bool, len(step.expected))
	var seen []string
	for {
		line, err := c.response()
		if err != nil {
			return fmt.Errorf("%w; so far %q", err, seen)
		}
		if rest, tagged := strings.CutPrefix(line, tag+" "); tagged {
			return p.finish(step, rest, met, seen)
		}
		line = strings.TrimPrefix(line, "* ")
		seen = append(seen, line)
		if err := p.compare(c, step, line, met); err != nil {
			return err
		}
		c.count(line)
	}
}

func (p *player) finish(step *scriptStep, rest string, met []bool, seen []string) error {
	status, _, _ := strings.Cut(rest, " ")
	if step.want != "" && !strings.EqualFold(status, step.want) {
		return fmt.Errorf("%w: answered %q, want %s", errScript, rest, step.want)
	}
	for i, e := range step.expected {
		// What is told with the tagged line counts too.
		if !met[i] && !p.match(nil, e, rest) {
			return fmt.Errorf("%w: no %q among %q", errScript, e, seen)
		}
	}
	return nil
}

func (p *player) compare(c *scriptConn, step *scriptStep, line string, met []bool) error {
	for i, e := range step.expected {
		met[i] = met[i] || p.match(c, e, line)
	}
	for _, f := range step.forbidden {
		if p.match(c, f, line) {
			return fmt.Errorf("%w: %q came, which fits %q", errScript, line, f)
		}
	}
	return nil
}

// match compares and remembers what variables stand for where all fits.
func (p *player) match(c *scriptConn, want, got string) bool {
	before := maps.Clone(p.variables)
	wanted, have := scriptTokens(want), scriptTokens(got)
	exact := strings.HasPrefix(strings.ToLower(want), "esearch")
	if p.fits(c, wanted, have, exact) {
		return true
	}
	p.variables = before
	return false
}

// token is a word, or a list where list is set.
type token struct {
	text string
	list bool
	of   []token
}

// scriptTokens takes a response apart.
func scriptTokens(line string) []token {
	s := &scanner{s: line}
	return s.tokens(0)
}

type scanner struct {
	s string
	i int
}

func (s *scanner) tokens(closing byte) []token {
	var all []token
	for s.i < len(s.s) {
		c := s.s[s.i]
		switch c {
		case closing:
			s.i++
			return all
		case ' ', '\r':
			s.i++
		case '(', '[':
			s.i++
			all = append(all, token{list: true, of: s.tokens(map[byte]byte{'(': ')', '[': ']'}[c])})
		case '"':
			end := s.i + 1
			for end < len(s.s) && s.s[end] != '"' {
				if s.s[end] == '\\' {
					end++
				}
				end++
			}
			all = append(all, token{text: strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s.s[s.i+1 : min(end, len(s.s))])})
			s.i = end + 1
		case '{':
			all = append(all, token{text: s.literal()})
		default:
			all = append(all, token{text: s.word(closing)})
		}
	}
	return all
}

func (s *scanner) literal() string {
	head, rest, _ := strings.Cut(s.s[s.i:], "}")
	n, _ := strconv.Atoi(strings.Trim(head, "{+"))
	start := s.i + len(head) + 1
	_ = rest
	start += 2 // the line end, or its mark
	n = min(n, len(s.s)-start)
	s.i = start + n
	return strings.ReplaceAll(s.s[start:start+n], "\v", "\n")
}

// word reads an atom, with the section that may stand within it.
func (s *scanner) word(closing byte) string {
	start, depth := s.i, 0
	for ; s.i < len(s.s); s.i++ {
		c := s.s[s.i]
		switch {
		case c == '[':
			depth++
		case c == ']' && depth > 0:
			depth--
		case depth == 0 && (c == closing || c == ' ' || c == ')' || c == '('):
			return s.s[start:s.i]
		}
	}
	return s.s[start:]
}

// fits compares in order. What stands behind is no mistake unless exact.
func (p *player) fits(c *scriptConn, want, got []token, exact bool) bool {
	if exact && len(want) != len(got) || len(want) > len(got) {
		return false
	}
	for i, w := range want {
		if !p.fitsOne(c, w, got[i]) {
			return false
		}
	}
	return true
}

func (p *player) fitsOne(c *scriptConn, want, got token) bool {
	if want.list != got.list {
		return false
	}
	if want.list {
		return p.fitsList(c, want.of, got.of)
	}
	if name, variable := strings.CutPrefix(want.text, "$"); variable && p.variables[strings.Trim(name, "{}")] == "" {
		if _, err := strconv.Atoi(name); err != nil && !strings.ContainsAny(name, "$ ") {
			p.variables[strings.Trim(name, "{}")] = got.text
			return true
		}
	}
	// Line ends may be cut in the middle.
	bare := func(s string) string { return strings.ReplaceAll(s, "\r", "") }
	return strings.EqualFold(bare(p.expand(c, want.text)), bare(got.text))
}

// fitsList takes every wanted token to be somewhere in a list, a name and its
// value side by side.
func (p *player) fitsList(c *scriptConn, want, got []token) bool {
	for i := 0; i < len(want); i++ {
		w := want[i]
		if banned, is := strings.CutPrefix(w.text, "$!ban="); is {
			if slices.ContainsFunc(got, func(g token) bool { return strings.EqualFold(g.text, banned) }) {
				return false
			}
			continue
		}
		if strings.HasPrefix(w.text, "$!") {
			continue
		}
		paired := i+1 < len(want) && !strings.HasPrefix(w.text, `\`) && !strings.HasPrefix(w.text, "$") && !w.list
		at := slices.IndexFunc(got, func(g token) bool { return p.fitsOne(c, w, g) })
		if at < 0 {
			return false
		}
		if paired {
			i++
			if at+1 >= len(got) || !p.fitsOne(c, want[i], got[at+1]) {
				return false
			}
		}
	}
	return true
}

// expand puts values in the place of variables; "$2" is the number that the
// second message has by now.
func (p *player) expand(c *scriptConn, text string) string {
	text = strings.ReplaceAll(text, "$$", "\x01")
	names := slices.SortedFunc(maps.Keys(p.variables), func(x, y string) int { return len(y) - len(x) })
	for _, name := range names {
		text = strings.ReplaceAll(text, "${"+name+"}", p.variables[name])
		text = strings.ReplaceAll(text, "$"+name, p.variables[name])
	}
	if c != nil {
		for n := c.told; n > 0; n-- {
			at := slices.Index(c.originals, n) + 1
			text = strings.ReplaceAll(text, "$"+strconv.Itoa(n), strconv.Itoa(at))
		}
	}
	return strings.ReplaceAll(text, "\x01", "$")
}

// renumber makes "$2" the message that is the second now.
func (c *scriptConn) renumber() {
	c.told = len(c.originals)
	for i := range c.originals {
		c.originals[i] = i + 1
	}
}

// count follows the numbers of messages.
func (c *scriptConn) count(line string) {
	number, rest, _ := strings.Cut(line, " ")
	n, err := strconv.Atoi(number)
	switch {
	case err != nil:
	case strings.EqualFold(rest, "EXISTS"):
		for len(c.originals) < n {
			c.told++
			c.originals = append(c.originals, c.told)
		}
	case strings.EqualFold(rest, "EXPUNGE") && n <= len(c.originals):
		c.originals = slices.Delete(c.originals, n-1, n)
	}
}

// response reads one response with its literals.
func (c *scriptConn) response() (string, error) {
	var whole strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		whole.WriteString(line)
		if err != nil {
			return whole.String(), err
		}
		text := strings.TrimRight(line, "\r\n")
		open := strings.LastIndexByte(text, '{')
		if open < 0 || !strings.HasSuffix(text, "}") {
			return strings.TrimRight(whole.String(), "\r\n"), nil
		}
		n, _ := strconv.Atoi(text[open+1 : len(text)-1])
		if _, err := io.CopyN(&whole, c.r, int64(n)); err != nil {
			return whole.String(), err
		}
	}
}

// unfit says why a script is not played.
func unfit(name string, s *script) string {
	switch {
	case strings.HasPrefix(name, "search-context-update"):
		return "needs RETURN (UPDATE) of CONTEXT=SEARCH"
	}
	for _, c := range s.capabilities {
		if c != "CONTEXT=SEARCH" && !slices.Contains(imaptest.DefaultCapabilities(), c) {
			return "needs " + c
		}
	}
	return ""
}

// play runs a script at a server of its own.
func play(t *testing.T, s *script, messages []mailtest.Message) error {
	t.Helper()
	box := mailtest.New()
	account := box.Add(ann, secret.New("pw"))
	server := imaptest.New(box, &imaptest.Options{Capabilities: append(imaptest.DefaultCapabilities(), "CONTEXT=SEARCH")})
	defer server.Close()
	p := &player{variables: map[string]string{"mailbox": "scripted"}, messages: messages}
	if s.state == "selected" || s.state == "created" {
		if err := account.CreateFolder("scripted", ""); err != nil {
			return err
		}
		count, err := strconv.Atoi(s.messages)
		if s.messages == "all" {
			count, err = len(messages), nil
		}
		for i := 0; err == nil && i < count; i++ {
			if _, err := account.Append("scripted", messages[i%len(messages)].Raw, nil); err != nil {
				return err
			}
		}
	}
	for range s.connections {
		c, err := server.Dial(t.Context(), "", "")
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(time.Hour)); err != nil {
			return err
		}
		p.conns = append(p.conns, &scriptConn{ReadWriter: c, r: bufio.NewReader(c)})
		if _, err := p.conns[len(p.conns)-1].response(); err != nil {
			return err
		}
		for _, command := range map[string][]string{
			"auth": {"login " + ann + " pw"}, "created": {"login " + ann + " pw"},
			"selected": {"login " + ann + " pw", "select $mailbox"},
		}[s.state] {
			if err := p.step(p.conns[len(p.conns)-1], &scriptStep{want: "ok", command: command}); err != nil {
				return err
			}
		}
	}
	return p.run(s)
}

// TestScripts plays the scripts of Dovecot's imaptest that need nothing but what
// this server knows.
func TestScripts(t *testing.T) {
	corpus := os.Getenv("MAILSESSION_CORPUS")
	if corpus == "" {
		t.Skip("MAILSESSION_CORPUS does not say where the scripts are")
	}
	dir := filepath.Join(corpus, "imaptest")
	files := os.DirFS(dir)
	names, err := fs.Glob(files, "*")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d scripts in %s, %v", len(names), dir, err)
	}
	played, passed := 0, map[string][]string{}
	for _, name := range names {
		if filepath.Ext(name) == ".mbox" || name == "broken" { // that one is a folder
			continue
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		s := parseScript(string(data))
		if why := unfit(name, &s); why != "" {
			passed[why] = append(passed[why], name)
			continue
		}
		played++
		t.Run(name, func(t *testing.T) {
			messages := boxOf(t, files, name)
			synctest.Test(t, func(t *testing.T) {
				if err := play(t, &s, messages); err != nil {
					t.Error(err)
				}
			})
		})
	}
	t.Logf("%d scripts played", played)
	for _, why := range slices.Sorted(maps.Keys(passed)) {
		t.Logf("not played, %s: %s", why, strings.Join(passed[why], ", "))
	}
}

// boxOf returns the messages that go with a script.
func boxOf(t *testing.T, files fs.FS, name string) []mailtest.Message {
	t.Helper()
	box := name + ".mbox"
	if _, err := fs.Stat(files, box); err != nil {
		box = "default.mbox"
	}
	account := mailtest.New().Add(ann, secret.New("pw"))
	if _, err := account.SeedMbox("INBOX", files, box, mailtest.Mboxo); err != nil {
		t.Fatal(err)
	}
	messages, err := account.Messages("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	data, err := fs.ReadFile(files, box)
	if err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		// The scripts count the empty line before "From " and the last one.
		if i < len(messages)-1 || strings.HasSuffix(string(data), "\n\n") {
			messages[i].Raw += "\r\n"
		}
	}
	return messages
}
