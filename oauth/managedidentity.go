package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/secret"
)

const (
	// imdsHost is the Azure Instance Metadata Service, the same on every
	// virtual machine.
	imdsHost = "http://169.254.169.254"
	imdsPath = "/metadata/identity/oauth2/token"
	// The versions of the two interfaces.
	imdsVersion       = "2018-02-01"
	appServiceVersion = "2019-08-01"
)

// ManagedIdentityOptions change how a managed identity is reached. The zero
// value is the machine's own identity, found through the environment.
type ManagedIdentityOptions struct {
	// ObjectID or ResourceID name a user-assigned identity where the Config's
	// ClientID does not: by the id of its principal, or by its path in Azure
	// Resource Manager.
	ObjectID, ResourceID string
	// BaseURL replaces the address of the metadata service of virtual machines,
	// http://169.254.169.254.
	BaseURL string
	// Getenv replaces os.Getenv. App Service, Functions and Container Apps name
	// their interface in IDENTITY_ENDPOINT and IDENTITY_HEADER.
	Getenv func(name string) string
}

// ManagedIdentity returns an App that is the identity which Azure gave to this
// machine or service: through App Service's interface where the environment
// names one, else through the metadata service of virtual machines. Azure Arc
// and Service Fabric have others, and are refused. It does no I/O. The Config
// may be nil, and so may the options.
//
// The Config's ClientID names a user-assigned identity; without any name it is
// the system-assigned one. A proxy is never used: the request must not leave
// the machine. Failures that Microsoft says pass, 404, 410, 429 and 5xx, are
// tried again for more than the 70 seconds that an update may take.
func ManagedIdentity(cfg *Config, o *ManagedIdentityOptions) (*App, error) {
	if cfg == nil {
		cfg = &Config{}
	}
	if o == nil {
		o = &ManagedIdentityOptions{}
	}
	m, err := newIdentity(cfg, *o)
	if err != nil {
		return nil, configError(err)
	}
	a := newApp(m.cfg, m.name())
	m.cfg = a.cfg
	a.ask = func(ctx context.Context, scopes []string) (*Token, error) { return a.identityToken(ctx, m, scopes) }
	return a, nil
}

// managed is how an identity's tokens are asked for.
type managed struct {
	cfg    *Config
	params url.Values
	header http.Header
}

// newIdentity finds the interface and names the identity.
func newIdentity(cfg *Config, o ManagedIdentityOptions) (*managed, error) {
	getenv := o.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	endpoint, header := getenv("IDENTITY_ENDPOINT"), getenv("IDENTITY_HEADER")
	m := &managed{params: url.Values{}}
	objectID, resourceID := "object_id", "msi_res_id"
	switch {
	case getenv("IDENTITY_SERVER_THUMBPRINT") != "":
		return nil, errors.New("this is Azure Service Fabric, whose managed identities are not known here: use ClientCredentials with a certificate")
	case endpoint != "" && header != "":
		m.cfg = cfg.at(endpoint)
		m.params.Set("api-version", appServiceVersion)
		m.header = http.Header{"X-Identity-Header": {header}}
		objectID, resourceID = "principal_id", "mi_res_id"
	case endpoint != "" && getenv("IMDS_ENDPOINT") != "":
		return nil, errors.New("this is Azure Arc, whose managed identities are not known here: use ClientCredentials with a certificate")
	default:
		base := o.BaseURL
		if base == "" {
			base = imdsHost
		}
		m.cfg = cfg.at(strings.TrimRight(base, "/") + imdsPath)
		m.params.Set("api-version", imdsVersion)
		m.header = http.Header{"Metadata": {"true"}}
	}
	if u, err := url.Parse(m.cfg.Endpoint.TokenURL); err != nil || u.Host == "" || u.RawQuery != "" {
		return nil, errors.New("the address of the managed identity (IDENTITY_ENDPOINT, or the BaseURL) is no full URL")
	}
	m.cfg.Proxy = nil
	return m, m.identify(map[string]string{"client_id": cfg.ClientID, objectID: o.ObjectID, resourceID: o.ResourceID})
}

// identify adds the one name of the identity, if there is one.
func (m *managed) identify(names map[string]string) error {
	n := 0
	for parameter, name := range names {
		if name != "" {
			m.params.Set(parameter, name)
			n++
		}
	}
	if n > 1 {
		return errors.New("the managed identity has several names: give one of ClientID, ObjectID and ResourceID")
	}
	return nil
}

// name returns the identity and its interface for messages.
func (m *managed) name() string {
	if id := m.cfg.ClientID; id != "" {
		return "managed identity " + id + " at " + hostOf(m.cfg.Endpoint.TokenURL)
	}
	return "managed identity at " + hostOf(m.cfg.Endpoint.TokenURL)
}

// identityToken asks for a token, again where that may help.
func (a *App) identityToken(ctx context.Context, m *managed, scopes []string) (*Token, error) {
	policy := retry.Policy{
		On: retry.OnStatus, Statuses: []int{404, 410, 429, 500, 502, 503, 504},
		Initial: 2 * time.Second, Count: 7, Jitter: -1, Rand: a.cfg.random,
		Notify: func(try int, wait time.Duration, err error) {
			a.log.LogAttrs(ctx, slog.LevelWarn, "no token of the managed identity, trying again",
				slog.Int("try", try), slog.Duration("wait", wait), slog.String("error", err.Error()))
		},
	}
	if len(scopes) == 0 {
		return nil, m.cfg.failed(KindClientConfig, errors.New("no resource is named: ask for one, or set Scopes"))
	}
	var tok *Token
	err := retry.Do(ctx, policy, func(ctx context.Context) (err error) {
		if err := a.pause.Wait(ctx); err != nil {
			return &Error{Kind: KindTemporary, Op: "get a token", Server: a.server(), Wait: a.pause.Remaining(), Err: err}
		}
		tok, err = m.ask(ctx, scopes)
		a.pause.Hold(RetryAfter(err))
		return err
	})
	return tok, err
}

// ask sends one request.
func (m *managed) ask(ctx context.Context, scopes []string) (*Token, error) {
	params := url.Values{"resource": {strings.TrimSuffix(scopes[0], "/.default")}}
	maps.Copy(params, m.params)
	req, err := getRequest(ctx, m.cfg.Endpoint.TokenURL+"?"+params.Encode(), m.header)
	if err != nil {
		return nil, err
	}
	key := secret.New(m.header.Get("X-Identity-Header"))
	got, err := m.cfg.call(m.cfg.direct(), req, key)
	if err != nil {
		return nil, notAzure(err)
	}
	if got.status != http.StatusOK {
		return nil, identityRefusal(m.cfg.refused(got, key))
	}
	tok, err := parseSupplied(got.body, time.Now())
	if err != nil {
		return nil, m.cfg.unusable(got, err)
	}
	tok.Scopes = scopes
	return tok, nil
}

// direct returns a transport that uses no proxy.
func (c *Config) direct() http.RoundTripper {
	own := asTransport(c.ownTransport())
	if own == nil {
		return c.ownTransport()
	}
	t := own.Clone()
	t.Proxy, t.DisableKeepAlives = nil, true
	return t
}

// notAzure adds to a failure to connect what it mostly means.
func notAzure(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != KindTemporary {
		return err
	}
	told := *e
	told.Err = fmt.Errorf("%w; managed identities exist on Azure alone", e.Err)
	return &told
}

// identityRefusal corrects what a refusal means at these interfaces.
func identityRefusal(e *Error) *Error {
	switch {
	case e.Status == http.StatusNotFound, e.Status == http.StatusGone, e.Status == http.StatusTooManyRequests,
		e.Status >= http.StatusInternalServerError:
		e.Kind = KindTemporary
	case e.Status == http.StatusBadRequest:
		e.Kind = KindClientConfig
		e.Err = errors.New("assign the identity to this machine or service, and check its name and the resource")
	}
	return e
}
