package profile

// Parameters are one set: all that it takes to open a mail session. Whatever is
// left out is the provider's, or the protocol's default.
//
// Every field may be a reference in place of its value; see the package comment.
type Parameters struct {
	// Description is for people.
	Description String `json:"description,omitempty"`

	// Provider names what is known of the provider: one of preset.Names, or of
	// Options.Providers. It is the alternative to OAuth and hosts.
	Provider String `json:"provider,omitempty"`
	// OAuth is the authorization server where it is not the provider's.
	OAuth *OAuth `json:"oauth,omitempty"`

	// Account is the mail address of who signs in. Where it is empty it is found
	// in the id_token, for which the scopes need openid and email.
	Account String `json:"account,omitempty"`
	// Mailbox is the address of the mailbox where it is not the account's own:
	// a shared one, or somebody else's. With a token IMAP, POP3 and SMTP sign in
	// under its name; with a password the way in needs a user in the server's own
	// form, such as CONTOSO\ann\info, or an AuthUser.
	Mailbox String `json:"mailbox,omitempty"`
	// AuthUser is the name that goes with the password, where it is not that of the
	// mailbox, or else the account: CONTOSO\ann at Exchange, or a master user. See
	// session.Credentials.
	AuthUser String `json:"authUser,omitempty"`

	// Flow is the way of signing in. An empty one follows from what is there: a
	// refresh token is FlowPinned, a password is FlowPassword, all else FlowPKCE.
	Flow Flow `json:"flow,omitempty"`
	// ClientID is what the provider calls the program, and ClientSecret what it
	// gave to it, if anything. Public clients and those of personal accounts
	// have none.
	ClientID     String `json:"clientId,omitempty"`
	ClientSecret Secret `json:"clientSecret,omitzero"`
	// Tenant is Microsoft's: an id, a domain, "organizations" or "common".
	Tenant String `json:"tenant,omitempty"`
	// RedirectURI is where the browser ends, as it is registered.
	RedirectURI String `json:"redirectUri,omitempty"`
	// Scopes are asked for in place of those that follow from protocols and mode.
	Scopes List `json:"scopes,omitempty"`
	// AuthParams are further parameters of the sign-in, such as prompt.
	AuthParams Params `json:"authParams,omitempty"`

	// TokenFile is where the client id, its secret and a refresh token are
	// together, as the properties client_id, client_secret and refresh_token of
	// a JSON object or of lines like client_id=…; the fields of their own come
	// first.
	TokenFile Secret `json:"tokenFile,omitzero"`
	// RefreshToken is that of FlowPinned. It is never written, and read again
	// where the server refuses it.
	RefreshToken Secret `json:"refreshToken,omitzero"`
	// Password is that of FlowPassword.
	Password Secret `json:"password,omitzero"`
	// Certificate is that of FlowCertificate.
	Certificate *Certificate `json:"certificate,omitempty"`
	// ServiceAccount is that of FlowServiceAccount.
	ServiceAccount *ServiceAccount `json:"serviceAccount,omitempty"`
	// ManagedIdentity is that of FlowManagedIdentity where ClientID does not
	// name it.
	ManagedIdentity *ManagedIdentity `json:"managedIdentity,omitempty"`
	// External is where the tokens of FlowExternal are.
	External *External `json:"external,omitempty"`

	// Retry says how requests for tokens and to EWS, and messages of a bulk, are
	// sent again. A backend of the program's own finds it in Side.Retry.
	Retry *Retry `json:"retry,omitempty"`
	// Mode is what the session may do.
	Mode Mode `json:"mode,omitempty"`
	// Incoming and Outgoing are the two sides. Where both are left out they are
	// the provider's IMAP and SMTP, as far as the mode has a use for them.
	Incoming *Incoming `json:"incoming,omitempty"`
	Outgoing *Outgoing `json:"outgoing,omitempty"`
	// TLS holds the settings of both sides and of requests for tokens.
	TLS *TLSSettings `json:"tls,omitempty"`
	// Proxy is on the way to all servers.
	Proxy *Proxy `json:"proxy,omitempty"`
	// Store is where the sign-in is kept.
	Store *Store `json:"store,omitempty"`
	// Limits bound what a session uses.
	Limits *Limits `json:"limits,omitempty"`
}

// OAuth is an authorization server: by the one base URL of a server like
// Microsoft's, by its issuer, whose metadata are asked for at Open, or by its
// endpoints.
type OAuth struct {
	// Base is the base URL, or the host alone; see oauth.MicrosoftEndpoint.
	Base String `json:"base,omitempty"`
	// Issuer is the issuer identifier (RFC 8414).
	Issuer String `json:"issuer,omitempty"`
	// AuthURL, TokenURL, DeviceURL and RevokeURL are the endpoints.
	AuthURL   String `json:"authUrl,omitempty"`
	TokenURL  String `json:"tokenUrl,omitempty"`
	DeviceURL String `json:"deviceUrl,omitempty"`
	RevokeURL String `json:"revokeUrl,omitempty"`
	// AuthStyle is how a client secret is sent.
	AuthStyle AuthStyle `json:"authStyle,omitempty"`
	// Resource is what access tokens for mail are issued for; see oauth.Sources.
	Resource String `json:"resource,omitempty"`
}

// Certificate is what a program proves with who it is.
type Certificate struct {
	// Content is the certificate with its key: PEM blocks, or a PFX file, which
	// needs Options.ParsePFX.
	Content Secret `json:"content,omitzero"`
	// Password is that of a PFX file.
	Password Secret `json:"password,omitzero"`
	// Algorithm is how it signs.
	Algorithm Algorithm `json:"algorithm,omitempty"`
	// SendChain puts the chain into each assertion.
	SendChain Flag `json:"sendChain,omitempty"`
}

// ServiceAccount is Google's account for a program.
type ServiceAccount struct {
	// Key is the content of the JSON key file.
	Key Secret `json:"key,omitzero"`
}

// ManagedIdentity names an identity that Azure gave to the machine.
type ManagedIdentity struct {
	// ObjectID is the id of its principal, ResourceID its path in Azure.
	ObjectID   String `json:"objectId,omitempty"`
	ResourceID String `json:"resourceId,omitempty"`
}

// External is where access tokens come from: Token or URL.
type External struct {
	// Token is a reference to the token itself, or to a JSON object with
	// access_token and, for its end, expires_in in seconds. It is read whenever a
	// token is wanted; "{resource}" in it stands for what the token is for.
	Token Secret `json:"token,omitzero"`
	// URL is asked for such an object; see oauth.FromURL.
	URL String `json:"url,omitempty"`
	// Header is sent to the URL.
	Header Secrets `json:"header,omitempty"`
}

// Retry says how what failed for the moment is sent again; see oauth.Retry, and for
// EWS ews.Options. Statuses are those of HTTP: in a bulk by SMTP, RetryStatus is what
// RetryAny is.
type Retry struct {
	// On is after which failures.
	On RetryOn `json:"on,omitempty"`
	// Statuses are those of RetryStatus, 429 and 503 where there are none.
	Statuses []Number `json:"statuses,omitempty"`
	// Count is how many times at most.
	Count Number `json:"count,omitempty"`
	// Wait is the first wait, Factor what multiplies it, MaxWait the longest.
	Wait    Duration `json:"wait,omitempty"`
	Factor  Number   `json:"factor,omitempty"`
	MaxWait Duration `json:"maxWait,omitempty"`
}

// Incoming is the way in.
type Incoming struct {
	// Protocol is IMAP, POP3, EWS or Graph. An empty one is IMAP.
	Protocol Protocol `json:"protocol,omitempty" words:"IMAP,POP3,EWS,Graph"`
	// Security is how the connection is encrypted.
	Security Security `json:"security,omitempty"`
	// Host is the server's name. An empty one is the provider's, or is looked
	// for by the address.
	Host String `json:"host,omitempty"`
	// Port is the protocol's default where it is empty: 993 and 143 for IMAP,
	// 995 and 110 for POP3.
	Port Number `json:"port,omitempty"`
	// URL is the service's address, for EWS and Graph. For EWS the host may stand
	// in its place.
	URL String `json:"url,omitempty"`
	// User is the name to sign in with. An empty one is the mailbox's or the
	// account's address.
	User String `json:"user,omitempty"`
	// Mechanisms restrict and order the SASL mechanisms.
	Mechanisms List `json:"mechanisms,omitempty"`
	// AllowPlainAuth permits to send credentials without encryption.
	AllowPlainAuth Flag `json:"allowPlainAuth,omitempty"`
}

// Outgoing is the way out.
type Outgoing struct {
	// Protocol is SMTP, EWS or Graph. An empty one is SMTP.
	Protocol Protocol `json:"protocol,omitempty" words:"SMTP,EWS,Graph"`
	// Security is how the connection is encrypted.
	Security Security `json:"security,omitempty"`
	// Host is the server's name. An empty one is the provider's, or is looked
	// for by the address.
	Host String `json:"host,omitempty"`
	// Port is the protocol's default where it is empty: 465 with TLS, 587 with
	// STARTTLS, 25 without.
	Port Number `json:"port,omitempty"`
	// URL is the service's address, for EWS and Graph. For EWS the host may stand
	// in its place.
	URL String `json:"url,omitempty"`
	// User is the name to sign in with. An empty one is the mailbox's or the
	// account's address.
	User String `json:"user,omitempty"`
	// Mechanisms restrict and order the SASL mechanisms.
	Mechanisms List `json:"mechanisms,omitempty"`
	// AllowPlainAuth permits to send credentials without encryption.
	AllowPlainAuth Flag `json:"allowPlainAuth,omitempty"`
	// TestRecipient is where File.SendTest sends its message.
	TestRecipient String `json:"testRecipient,omitempty"`
	// SaveSent says whether a copy of what is sent is kept.
	SaveSent SaveSent `json:"saveSent,omitempty"`
}

// TLSSettings are settings of encryption. There is none that switches the
// examination of certificates off: name their authority.
type TLSSettings struct {
	// CA is the content of a PEM file with certificate authorities, in place of
	// the host's.
	CA String `json:"ca,omitempty"`
	// Certificate and Key are the client's, as PEM.
	Certificate String `json:"certificate,omitempty"`
	Key         Secret `json:"key,omitzero"`
	// ServerName is the name in the mail servers' certificates, where it is not
	// the host's.
	ServerName String `json:"serverName,omitempty"`
	// MinVersion is the oldest version of TLS.
	MinVersion TLSVersion `json:"minVersion,omitempty"`
	// NoChannelBinding is for EWS behind what inspects TLS; see ews.Options.
	NoChannelBinding Flag `json:"noChannelBinding,omitempty"`
}

// Proxy is a proxy; see proxy.Config.
type Proxy struct {
	// URL is the proxy's.
	URL String `json:"url,omitempty"`
	// Environment takes the proxy from the environment.
	Environment Flag `json:"environment,omitempty"`
	// User and Password are for the proxy.
	User     String `json:"user,omitempty"`
	Password Secret `json:"password,omitzero"`
}

// Store is where the sign-in, and what POP3 cannot keep on the server, is kept.
// Options.Store comes first.
type Store struct {
	// Dir is a folder on this computer; see state.OpenDir.
	Dir String `json:"dir,omitempty"`
	// Key is the record's key. An empty one follows from the set's name.
	Key String `json:"key,omitempty"`
	// NoAccessTokens keeps access tokens out of the record.
	NoAccessTokens Flag `json:"noAccessTokens,omitempty"`
}

// Limits bound what a session uses. What is left out is the backend's default.
type Limits struct {
	// Connections is how many there are at a time, on each side.
	Connections Number `json:"connections,omitempty"`
	// IdleTimeout is how long a connection is kept after use.
	IdleTimeout Duration `json:"idleTimeout,omitempty"`
	// PageSize is how many summaries are asked for at once.
	PageSize Number `json:"pageSize,omitempty"`
	// MessagesPerMinute is how many messages are sent by SMTP in any minute at
	// most.
	MessagesPerMinute Number `json:"messagesPerMinute,omitempty"`
	// Timeouts bound how long a connection may stand still.
	Timeouts *Timeouts `json:"timeouts,omitempty"`
}

// Timeouts are those of session.Timeouts.
type Timeouts struct {
	Dial      Duration `json:"dial,omitempty"`
	Handshake Duration `json:"handshake,omitempty"`
	Greeting  Duration `json:"greeting,omitempty"`
	Auth      Duration `json:"auth,omitempty"`
	Command   Duration `json:"command,omitempty"`
	Message   Duration `json:"message,omitempty"`
	Close     Duration `json:"close,omitempty"`
}
