package layering_test

import (
	"slices"

	"github.com/mailsession/mailsession/internal/layering"
)

// table says what each package of the module may link, directly or through
// others. A new package needs a row, which is the moment to decide on which
// layer it stands.
func table() map[string]layering.Rule {
	var (
		// What everything above may use while it waits or tries again.
		patience = []string{"internal/observe", "internal/retry", "internal/throttle", "secret"}
		// The connection under every protocol.
		connection = []string{"internal/pool", "internal/sasl", "internal/transcript", "internal/wire"}
		// What programs hold, with what stands below it.
		session = join(patience, []string{"internal/pending", "internal/spelling", "internal/userfile", "message", "oauth", "proxy", "session", "state"})
		// What a protocol's client stands on; never another protocol's.
		backend = join(session, connection, []string{"internal/backend", "internal/match"})
		// What a protocol's fake server stands on; never a client.
		fake = []string{"internal/fakenet", "internal/pipe", "internal/testtls", "mailtest", "secret"}
		// A whole fake provider is all fakes, and data for the clients.
		provider = join(fake, session, []string{"ewstest", "imaptest", "oauth/oauthtest", "pop3test", "preset", "preset/lookup", "smtptest"})

		// What reading a message brings with it.
		enmime = []string{
			"github.com/cention-sany/utf7",
			"github.com/cespare/xxhash/v2",
			"github.com/clipperhouse/displaywidth",
			"github.com/clipperhouse/uax29/v2",
			"github.com/fatih/color",
			"github.com/gogs/chardet",
			"github.com/inbucket/html2text",
			"github.com/jhillyerd/enmime/v2",
			"github.com/mattn/go-colorable",
			"github.com/mattn/go-isatty",
			"github.com/mattn/go-runewidth",
			"github.com/olekukonko/cat",
			"github.com/olekukonko/errors",
			"github.com/olekukonko/ll",
			"github.com/olekukonko/tablewriter",
			"github.com/pkg/errors",
			"github.com/ssor/bom",
			"golang.org/x/net",
			"golang.org/x/sys",
			"golang.org/x/text",
		}
		// The rules of NO_PROXY, which know international names.
		proxy  = []string{"golang.org/x/net", "golang.org/x/text"}
		flock  = []string{"github.com/gofrs/flock", "golang.org/x/sys"}
		age    = []string{"filippo.io/age", "filippo.io/hpke", "golang.org/x/crypto", "golang.org/x/sys"}
		oauth2 = []string{"golang.org/x/oauth2"}
		sasl   = []string{"github.com/emersion/go-sasl"}
		goIMAP = []string{"github.com/emersion/go-imap/v2"}
		goSMTP = []string{"github.com/emersion/go-smtp"}
		ntlm   = []string{"github.com/Azure/go-ntlmssp"}
		// The control commands of POP3, and what its reader of messages needs.
		goPOP3  = []string{"github.com/knadh/go-pop3", "github.com/emersion/go-message"}
		message = join(enmime, oauth2, flock)
	)
	return map[string]layering.Rule{
		"secret": {},

		"state":           {Packages: []string{"internal/retry"}, Modules: flock},
		"state/seal":      {Packages: []string{"internal/retry", "secret", "state"}, Modules: join(flock, age)},
		"state/statetest": {Packages: []string{"internal/retry", "state"}, Modules: flock, Testing: true},

		"internal/backend":    {Packages: backend, Modules: join(message, sasl)},
		"internal/docs":       {},
		"internal/fakenet":    {Packages: fake},
		"internal/faulttable": {Packages: join(session, []string{"internal/wire", "mailtest"}), Modules: message, Testing: true},
		"internal/grantstory": {Packages: join(patience, []string{"internal/userfile", "oauth", "proxy", "state"}), Modules: join(oauth2, proxy, flock), Testing: true},
		"internal/layering":   {},
		"internal/leak":       {},
		"internal/match":      {Packages: session, Modules: message},
		"internal/observe":    {},
		"internal/pending":    {Packages: []string{"internal/retry"}},
		"internal/pipe":       {},
		"internal/pool":       {Packages: []string{"internal/retry"}},
		"internal/racing":     {},
		"internal/retry":      {},
		"internal/sasl":       {Packages: []string{"secret"}, Modules: sasl},
		"internal/spelling":   {},
		"internal/spool":      {},
		"internal/testlog":    {Testing: true},
		"internal/testsum":    {Packages: []string{"internal/leak"}},
		"internal/testtls":    {},
		"internal/throttle":   {Packages: []string{"internal/retry"}},
		"internal/transcript": {Packages: []string{"secret"}},
		"internal/userfile":   {},
		"internal/wire":       {Packages: []string{"internal/retry"}},

		"message": {Packages: []string{"secret"}, Modules: enmime},
		"message/dkim": {
			Packages: []string{"message", "secret"},
			Modules:  join(enmime, []string{"github.com/emersion/go-msgauth", "golang.org/x/crypto"}),
		},
		"message/templates": {Packages: []string{"message", "secret"}, Modules: enmime},
		"oauth":             {Packages: join(patience, []string{"internal/userfile", "proxy", "state"}), Modules: join(oauth2, proxy, flock)},
		"oauth/pfx": {
			Packages: join(patience, []string{"internal/userfile", "oauth", "proxy", "state"}),
			Modules:  join(oauth2, proxy, flock, []string{"golang.org/x/crypto", "software.sslmate.com/src/go-pkcs12"}),
		},
		"outbox":  {Packages: session, Modules: message},
		"proxy":   {Packages: []string{"internal/retry", "secret"}, Modules: proxy},
		"session": {Packages: session, Modules: message},
		"session/sessiontest": {
			Packages: join(session, []string{"internal/pipe", "mailtest", "session"}), Modules: message, Testing: true,
		},
		"preset": {Packages: session, Modules: message},
		// The rules of domain names, and what is registered below which ending.
		"preset/lookup": {Packages: join(session, []string{"preset"}), Modules: message},
		"profile": {
			Packages: join(backend, []string{"ews", "imapx", "internal/spool", "pop3x", "preset", "preset/lookup", "smtpx"}),
			Modules:  join(message, sasl, ntlm, goIMAP, goPOP3, goSMTP),
		},
		"profile/sealed": {
			Packages: join(backend, []string{"ews", "imapx", "internal/spool", "pop3x", "preset", "preset/lookup", "profile", "smtpx"}),
			Modules:  join(message, sasl, ntlm, goIMAP, goPOP3, goSMTP, age),
		},

		"ews":   {Packages: join(backend, []string{"internal/spool"}), Modules: join(message, sasl, ntlm)},
		"imapx": {Packages: join(backend, []string{"internal/spool"}), Modules: join(message, sasl, goIMAP)},
		"pop3x": {Packages: join(backend, []string{"internal/spool"}), Modules: join(message, sasl, goPOP3)},
		"smtpx": {Packages: backend, Modules: join(message, sasl, goSMTP)},

		"ewstest":           {Packages: fake},
		"imaptest":          {Packages: fake},
		"mailtest":          {Packages: []string{"secret"}},
		"oauth/oauthtest":   {Packages: []string{"internal/pipe", "internal/testtls", "secret"}},
		"pop3test":          {Packages: fake},
		"preset/presettest": {Packages: provider, Modules: message},
		"smtptest":          {Packages: fake},

		"examples/apponly":    {Packages: join(backend, []string{"imapx", "internal/spool", "preset"}), Modules: join(message, sasl, goIMAP)},
		"examples/attachment": {Packages: join(backend, []string{"smtpx"}), Modules: join(message, sasl, goSMTP)},
		"examples/check": {
			Packages: join(backend, []string{"ews", "imapx", "internal/spool", "pop3x", "preset", "preset/lookup", "profile", "smtpx"}),
			Modules:  join(message, sasl, goIMAP, goPOP3, goSMTP, ntlm),
		},
		"examples/exchange": {Packages: join(backend, []string{"ews", "internal/spool"}), Modules: join(message, sasl, ntlm)},
		"examples/gmail":    {Packages: join(backend, []string{"imapx", "internal/spool", "preset"}), Modules: join(message, sasl, goIMAP)},
		"examples/intake":   {Packages: join(backend, []string{"imapx", "internal/spool", "preset"}), Modules: join(message, sasl, goIMAP)},
		"examples/mailing":  {Packages: join(backend, []string{"outbox", "smtpx"}), Modules: join(message, sasl, goSMTP)},
		"examples/outbox": {
			Packages: join(backend, []string{"imapx", "internal/spool", "outbox", "smtpx"}),
			Modules:  join(message, sasl, goIMAP, goSMTP),
		},
		"examples/pinned": {Packages: join(backend, []string{"imapx", "internal/spool", "preset"}), Modules: join(message, sasl, goIMAP)},
		"examples/quickstart": {
			Packages: join(backend, provider, []string{"imapx", "internal/spool", "preset/presettest", "smtpx"}),
			Modules:  join(message, sasl, goIMAP, goSMTP),
			Log:      true,
		},
		"examples/pop3download": {Packages: join(backend, []string{"pop3x", "internal/spool"}), Modules: join(message, sasl, goPOP3)},
		"examples/unread":       {Packages: join(backend, []string{"imapx", "internal/spool"}), Modules: join(message, sasl, goIMAP)},
		"examples/yourtests":    {Packages: session, Modules: message},
	}
}

// A program is a combination of packages that a program may import, with the
// packages and modules it must not link then, nor anything below them.
type program struct {
	name    string
	imports []string
	never   []string
}

// programs returns what people build of the parts.
func programs() []program {
	heavy := []string{"testing", "net/http/httptest", "github.com/emersion/go-msgauth"}
	fakes := []string{"ewstest", "imaptest", "mailtest", "oauth/oauthtest", "pop3test", "preset/presettest", "smtptest"}
	return []program{
		{
			name:    "reads by IMAP",
			imports: []string{"session", "imapx"},
			never:   join(heavy, fakes, []string{"ews", "graph", "pop3x", "smtpx", "preset", "github.com/emersion/go-smtp", "github.com/knadh/go-pop3"}),
		},
		{
			name:    "reads by POP3",
			imports: []string{"session", "pop3x"},
			never:   join(heavy, fakes, []string{"ews", "graph", "imapx", "smtpx", "preset", "github.com/emersion/go-imap/v2", "github.com/emersion/go-smtp"}),
		},
		{
			name:    "sends by SMTP",
			imports: []string{"session", "smtpx"},
			never:   join(heavy, fakes, []string{"ews", "graph", "pop3x", "imapx", "preset", "github.com/emersion/go-imap/v2", "github.com/knadh/go-pop3"}),
		},
		{
			name:    "opens sessions by name",
			imports: []string{"profile"},
			never:   join(heavy, fakes, []string{"filippo.io/age", "profile/sealed", "software.sslmate.com/src/go-pkcs12"}),
		},
		{
			name:    "signs in and keeps the grant",
			imports: []string{"oauth"},
			never:   join(heavy, fakes, []string{"message", "session", "internal/wire", "github.com/jhillyerd/enmime/v2"}),
		},
		{
			name:    "tests against a fake provider",
			imports: []string{"preset/presettest"},
			never:   join(heavy, []string{"ews", "graph", "imapx", "pop3x", "smtpx", "github.com/emersion/go-imap/v2", "github.com/emersion/go-smtp"}),
		},
	}
}

// join puts lists together.
func join(lists ...[]string) []string {
	return slices.Concat(lists...)
}
