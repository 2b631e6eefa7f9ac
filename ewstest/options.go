package ewstest

import (
	"cmp"
	"context"
	"crypto/tls"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// Version is a release of Exchange that a server plays, named as in the header
// RequestServerVersion.
type Version string

// The releases.
const (
	Exchange2007SP1 Version = "Exchange2007_SP1"
	Exchange2010SP2 Version = "Exchange2010_SP2"
	Exchange2013SP1 Version = "Exchange2013_SP1"
	Exchange2016    Version = "Exchange2016"
)

// Versions returns the releases that a server can play, oldest first.
func Versions() []Version {
	return []Version{Exchange2007SP1, Exchange2010SP2, Exchange2013SP1, Exchange2016}
}

// The ways to sign in, as the header WWW-Authenticate names them.
const (
	Basic  = "Basic"
	NTLM   = "NTLM"
	Bearer = "Bearer"
)

// Options change what a [Server] is like. The zero value is a lenient Exchange
// 2016 over plain HTTP.
type Options struct {
	// Security is how connections are protected: not at all, or by TLS.
	Security mailtest.Security
	// TLS holds the server's certificate. Where it is nil, one is made on first
	// use for localhost, 127.0.0.1, ::1 and Hosts.
	TLS *tls.Config
	// Hosts are further names for that certificate.
	Hosts []string

	// Version is the release that is played; what is younger is refused as that
	// release does. Empty means [Exchange2016].
	Version Version
	// Strict refuses what Exchange refuses and other servers let pass: elements
	// that are unknown, in a wrong order or namespace, values that are no member
	// of an enumeration, and properties that FindItem cannot return.
	Strict bool
	// RawText writes characters that XML forbids as they are, instead of as
	// character references. A client has to expect both.
	RawText bool

	// Schemes are the ways to sign in, in the order in which they are offered; nil
	// means [NTLM], [Basic] and [Bearer].
	Schemes []string
	// ExtendedProtection is what NTLM is bound to.
	ExtendedProtection ExtendedProtection
	// CheckToken, if not nil, decides about access tokens here, in the place of
	// what the accounts have; see [mailtest.TokenCheck] for its errors. The user
	// is an account's address. Which account a token belongs to is found by asking
	// about one after the other.
	CheckToken func(ctx context.Context, user string, token secret.Text) error
	// Application, if not nil, tells whether a token belongs to a program without
	// a person. Such a program has to name the account it acts for in a header
	// ExchangeImpersonation, and CheckToken decides whether it may.
	Application func(token secret.Text) bool
	// Impersonate, if not nil, tells whether one account may act for another by
	// that header. Otherwise none may.
	Impersonate func(user, target string) bool

	// Unnumbered leaves out the numbers of messages (PidTagInternetArticleNumber),
	// which Exchange gives all of them.
	Unnumbered bool
	// Renumbered gives a message a new number, above all others in its folder, when
	// it is changed. Exchange does so when a message is revised, which other
	// programs do as well ([MS-STANXIMAP] section 2.1.3).
	//
	// [MS-STANXIMAP]: https://learn.microsoft.com/openspecs/exchange_standards/ms-stanximap/
	Renumbered bool

	// MaxPage is how many items or folders one answer lists at most; 1000 if 0.
	MaxPage int
	// MaxMessage is how large a message may be that a client stores or sends, in
	// bytes; 0 is no limit.
	MaxMessage int
	// MaxRequest is how large a request may be, in bytes; 256 MiB if 0.
	MaxRequest int
	// Heartbeat is how often a stream of notifications says that it is alive; 45
	// seconds if 0.
	Heartbeat time.Duration
	// NoArchive makes ArchiveItem fail, as for accounts without an archive.
	NoArchive bool

	// NoAutodiscover lists the ways of discovery that are not there.
	NoAutodiscover []Discovery
	// ExternalURL is what discovery names as the address of the service. Where it
	// is empty, that is the server's own, at the host that was asked.
	ExternalURL string
	// RedirectTo is the URL that an unauthenticated GET of the POX document is
	// sent to, and RedirectAddress the address that POX and SOAP tell the client
	// to ask about in place of its own.
	RedirectTo, RedirectAddress string
}

// Discovery is one way of Autodiscover.
type Discovery string

// The ways of discovery: the JSON document without sign-in, the "plain old XML"
// document, the SOAP service, and the unauthenticated GET that redirects.
const (
	DiscoverJSON     Discovery = "json"
	DiscoverPOX      Discovery = "pox"
	DiscoverSOAP     Discovery = "soap"
	DiscoverRedirect Discovery = "redirect"
)

// complete fills in what was left to the package.
func (o *Options) complete() {
	o.Version = cmp.Or(o.Version, Exchange2016)
	o.MaxPage = cmp.Or(o.MaxPage, 1000)
	o.MaxRequest = cmp.Or(o.MaxRequest, 256<<20)
	o.Heartbeat = cmp.Or(o.Heartbeat, 45*time.Second)
	if o.Schemes == nil {
		o.Schemes = []string{NTLM, Basic, Bearer}
	}
	if o.Application == nil {
		o.Application = func(secret.Text) bool { return false }
	}
	if o.Impersonate == nil {
		o.Impersonate = func(string, string) bool { return false }
	}
}

// order is the age of everything that a client may ask for by name, oldest first.
func order() []Version {
	return []Version{
		"Exchange2007", Exchange2007SP1, "Exchange2010", "Exchange2010_SP1", Exchange2010SP2,
		"Exchange2013", Exchange2013SP1, "Exchange2015", Exchange2016,
	}
}

// age returns the place of a version in the order of releases. Those that are
// younger than what the schema names have the last, and none the first.
func (v Version) age() (age int, known bool) {
	releases := order()
	if v == "" {
		return 0, true
	}
	if i := slices.Index(releases, v); i >= 0 {
		return i, true
	}
	return len(releases), strings.HasPrefix(string(v), "V201") || v == "Exchange2019"
}

// atLeast reports whether v is as young as other.
func (v Version) atLeast(other Version) bool {
	mine, _ := v.age()
	its, _ := other.age()
	return mine >= its
}

// build returns the attributes of ServerVersionInfo.
func (v Version) build() []string {
	switch v {
	case Exchange2007SP1:
		return build("8", "1", "240", "5", "")
	case Exchange2010SP2:
		return build("14", "2", "328", "9", "Exchange2010_SP2")
	case Exchange2013SP1:
		return build("15", "0", "847", "31", "V2_8")
	default:
		return build("15", "1", "2507", "6", "V2017_07_11")
	}
}

func build(major, minor, majorBuild, minorBuild, name string) []string {
	return []string{
		"MajorVersion", major, "MinorVersion", minor,
		"MajorBuildNumber", majorBuild, "MinorBuildNumber", minorBuild, "Version", name,
	}
}

// number returns the version of the build, with points.
func (v Version) number() string {
	b := v.build()
	return strings.Join([]string{b[1], b[3], b[5], b[7]}, ".")
}
