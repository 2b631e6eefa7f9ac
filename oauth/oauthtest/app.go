package oauthtest

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// App is what a client may do in its own name (RFC 6749 section 4.4), and how
// else than by its secret it proves who it is.
type App struct {
	// Permissions are the scopes that an administrator gave to the client. A
	// request for "RESOURCE/.default" gets those of the resource.
	Permissions []string
	// Mailboxes are the addresses whose mail it may open.
	Mailboxes []string
	// SecretExpired says that the secret's time is over.
	SecretExpired bool
	// Certificates are those that it may sign assertions with
	// (private_key_jwt).
	Certificates []*x509.Certificate
	// Algorithms are those it may sign with. Nil means PS256 alone.
	Algorithms []string
	// Federated are the subjects of tokens of Server.WorkloadToken that stand
	// for the client.
	Federated []string
}

// OpenMailbox lets a client open one more mailbox in its own name, with tokens
// that it gets from now on.
func (s *Server) OpenMailbox(client, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.clientByID(client); ok && c.App != nil {
		c.App.Mailboxes = append(slices.Clip(c.App.Mailboxes), address)
	}
}

// The grant types of programs.
const (
	grantClientCredentials = "client_credentials"
	grantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer" //nolint:gosec // G101: a name that everybody may know
	assertionType          = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// apps is what the server remembers of programs. It belongs to Server.mu.
type apps struct {
	assertions map[string]bool // the jti of those that were used
	accounts   map[string]*serviceAccount
	identities map[string]string // the present token by identity and resource
	roomKey    string
}

// routeApps returns the handler of a request that only programs send.
func (s *Server) routeApps(r *http.Request) handler {
	get, post := r.Method == http.MethodGet, r.Method == http.MethodPost
	switch {
	case r.URL.Path == IMDSPath && get:
		return s.serveIMDS
	case r.URL.Path == AppServicePath && get:
		return s.serveAppService
	case r.URL.Path == ControlRoomPath && get:
		return s.serveControlRoom
	case strings.HasPrefix(r.URL.Path, signJWTPrefix) && strings.HasSuffix(r.URL.Path, signJWTSuffix) && post:
		return s.serveSignJWT
	}
	return http.NotFound
}

// appToken answers the grant types of programs; mine tells whether it is one.
func (s *Server) appToken(r *http.Request) (answer map[string]any, no *refusal, mine bool) {
	switch r.PostForm.Get("grant_type") {
	case grantClientCredentials:
		answer, no = s.clientCredentials(r)
	case grantJWTBearer:
		answer, no = s.delegate(r.PostForm)
	default:
		return nil, nil, false
	}
	return answer, no, true
}

// clientCredentials answers a program that proves who it is.
func (s *Server) clientCredentials(r *http.Request) (map[string]any, *refusal) {
	client, no := s.authenticateApp(r)
	if no != nil {
		return nil, no
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	scopes, no := s.appScopes(client, r.PostForm.Get("scope"))
	if no != nil {
		return nil, no
	}
	owner := Account{Subject: client.ID, Email: client.ID, Mailboxes: client.App.Mailboxes}
	answer, no := s.answer(&family{account: owner, client: client.ID, scopes: scopes}, scopes, "")
	if s.opts.Microsoft {
		delete(answer, "scope")
	}
	return answer, no
}

// authenticateApp finds the client of a request and checks what it proves
// itself with.
func (s *Server) authenticateApp(r *http.Request) (Client, *refusal) {
	id := r.PostForm.Get("client_id")
	if user, _, basic := r.BasicAuth(); basic {
		id, _ = url.QueryUnescape(user)
	}
	client, ok := s.clientByID(id)
	switch {
	case !ok:
		return Client{}, s.noApp(http.StatusBadRequest, "unauthorized_client", 700016,
			"Application with identifier '"+id+"' was not found in the directory 'Contoso'.")
	case client.App == nil:
		return Client{}, refuse("unauthorized_client", "the client may not get tokens in its own name")
	case r.PostForm.Has("client_assertion"):
		return client, s.checkAssertion(client, r.PostForm)
	case client.Secret.IsZero():
		return Client{}, s.noApp(http.StatusUnauthorized, "invalid_client", 7000218,
			"The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	case client.App.SecretExpired:
		return Client{}, s.noApp(http.StatusUnauthorized, "invalid_client", 7000222,
			"The provided client secret keys for app '"+id+"' are expired.")
	}
	if _, no := s.authenticate(r); no != nil {
		return Client{}, s.noApp(no.status, no.code, 7000215,
			"Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "+
				"not the client secret ID, for a secret added to app '"+id+"'.")
	}
	return client, nil
}

// appScopes returns what a program is given of what it asks for. The caller
// holds the lock.
func (s *Server) appScopes(client Client, asked string) ([]string, *refusal) {
	scopes := strings.Fields(asked)
	if s.opts.Microsoft && (len(scopes) != 1 || !strings.HasSuffix(asked, "/.default")) {
		return nil, s.noApp(http.StatusBadRequest, "invalid_scope", 1002012,
			"The provided value for scope "+asked+" is not valid. Client credential flows must have a scope value with "+
				"/.default suffixed to the resource identifier (application ID URI).")
	}
	var given []string
	for _, scope := range scopes {
		of, all := strings.CutSuffix(scope, "/.default")
		for _, p := range client.App.Permissions {
			if p == scope || (all && resource(p) == of) {
				given = append(given, p)
			}
		}
		if !all && !slices.Contains(client.App.Permissions, scope) {
			return nil, refuse("invalid_scope", "the scope "+scope+" was not given to the client")
		}
	}
	if len(scopes) == 0 {
		given = client.App.Permissions
	}
	// A token without any permission is what Microsoft gives, too.
	return given, nil
}

// noApp is a refusal of a program, in Microsoft's shape where Options say so.
func (s *Server) noApp(status int, code string, number int, text string) *refusal {
	if !s.opts.Microsoft {
		return &refusal{status: status, code: code, description: text}
	}
	trace, correlation := uuid(), uuid()
	stamp := time.Now().UTC().Format("2006-01-02 15:04:05Z")
	return &refusal{
		status: status, code: code,
		description: fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", number, text, trace, correlation, stamp),
		extra: map[string]any{
			"error_codes": []int{number}, "timestamp": stamp, "trace_id": trace, "correlation_id": correlation,
			"error_uri": fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", number),
		},
	}
}

// uuid returns a random UUID.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // It does not fail; crypto/rand says so.
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// remember adds to what Secrets returns. The caller holds the lock.
func (s *Server) remember(text string) { s.secrets = append(s.secrets, secret.New(text)) }
