package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// schema is the version of the record's form that this package writes. A form
// that an older version would misunderstand gets a greater number; fields that
// may be overlooked do not need one.
const schema = 1

// extras are fields of a JSON object that this version does not know.
type extras map[string]json.RawMessage

// storedRecord is a record as it is kept. The secrets in it are plain.
type storedRecord struct {
	Schema        int               `json:"schema"`
	Provider      string            `json:"provider,omitempty"`
	ClientID      string            `json:"client_id,omitempty"`
	Issuer        string            `json:"issuer,omitempty"`
	TokenURL      string            `json:"token_url,omitempty"`
	Tenant        string            `json:"tenant,omitempty"`
	Subject       string            `json:"subject,omitempty"`
	Address       string            `json:"address,omitempty"`
	Scopes        []string          `json:"scopes,omitempty"`
	RefreshToken  string            `json:"refresh_token,omitempty"`
	RefreshExpiry time.Time         `json:"refresh_expiry,omitzero"`
	LastUse       time.Time         `json:"last_use,omitzero"`
	PendingSince  time.Time         `json:"pending_since,omitzero"`
	AccessTokens  extras            `json:"access_tokens,omitempty"`
	Status        json.RawMessage   `json:"status,omitempty"`
	Pin           string            `json:"pin,omitempty"`
	FormerPins    []json.RawMessage `json:"former_pins,omitempty"`
}

// storedToken is an access token as it is kept.
type storedToken struct {
	AccessToken string    `json:"access_token,omitempty"`
	Type        string    `json:"type,omitempty"`
	Issued      time.Time `json:"issued,omitzero"`
	Expiry      time.Time `json:"expiry,omitzero"`
	Scopes      []string  `json:"scopes,omitempty"`
}

// storedOverlay is an overlay as it is kept.
type storedOverlay struct {
	Pin           string    `json:"pin,omitempty"`
	RefreshToken  string    `json:"refresh_token,omitempty"`
	RefreshExpiry time.Time `json:"refresh_expiry,omitzero"`
	PendingSince  time.Time `json:"pending_since,omitzero"`
}

// encode returns the value of the record, with the access tokens or without.
func (r *record) encode(withTokens bool) ([]byte, error) {
	s := storedRecord{
		Schema: schema, Provider: r.provider, ClientID: r.clientID, Issuer: r.issuer, TokenURL: r.tokenURL,
		Tenant: r.user.tenant, Subject: r.user.subject, Address: r.user.address, Scopes: r.scopes,
		RefreshToken: r.refresh.Reveal(), RefreshExpiry: r.refreshExpiry, LastUse: r.lastUse, PendingSince: r.pending,
		Pin: r.pin, AccessTokens: extras{},
	}
	var failed error
	add := func(v any, more extras) json.RawMessage {
		raw, err := joinObject(v, more)
		failed = errors.Join(failed, err)
		return raw
	}
	for key, tok := range r.tokens {
		if withTokens {
			s.AccessTokens[key] = add(storedToken{
				AccessToken: tok.AccessToken.Reveal(), Type: tok.Type, Issued: tok.Issued, Expiry: tok.Expiry, Scopes: tok.Scopes,
			}, r.tokenExtra[key])
		}
	}
	for _, o := range r.former {
		s.FormerPins = append(s.FormerPins, add(storedOverlay{
			Pin: o.pin, RefreshToken: o.refresh.Reveal(), RefreshExpiry: o.refreshExpiry, PendingSince: o.pending,
		}, o.extra))
	}
	st := r.status
	if st.State == "" {
		st.State = StateOK
	}
	s.Status = add(st, st.extra)
	value := add(s, r.extra)
	if failed != nil {
		return nil, fmt.Errorf("the grant's record cannot be written: %w", failed)
	}
	return value, nil
}

// decodeRecord reads the value of a record. Its errors quote nothing of it.
func decodeRecord(value []byte) (record, error) {
	var s storedRecord
	more, err := splitObject(value, "", &s)
	switch {
	case s.Schema > schema:
		return record{}, fmt.Errorf("%w: its schema is %d, this program knows %d", errNewer, s.Schema, schema)
	case err != nil:
		return record{}, err
	case s.Schema < 1:
		return record{}, fmt.Errorf("%w: it has no schema", errUnreadable)
	}
	r := record{
		provider: s.Provider, clientID: s.ClientID, issuer: s.Issuer, tokenURL: s.TokenURL,
		user: identity{subject: s.Subject, address: s.Address, tenant: s.Tenant}, scopes: s.Scopes,
		refresh: secret.New(s.RefreshToken), refreshExpiry: s.RefreshExpiry, lastUse: s.LastUse, pending: s.PendingSince,
		pin: s.Pin, extra: more,
		tokens: make(map[string]*Token), tokenExtra: make(map[string]extras),
	}
	if err := r.decodeTokens(s.AccessTokens); err != nil {
		return record{}, err
	}
	for _, raw := range s.FormerPins {
		var o storedOverlay
		more, err := splitObject(raw, "former_pins.", &o)
		if err != nil {
			return record{}, err
		}
		r.former = append(r.former, overlay{
			pin: o.Pin, refresh: secret.New(o.RefreshToken), refreshExpiry: o.RefreshExpiry, pending: o.PendingSince, extra: more,
		})
	}
	if s.Status != nil {
		if r.status.extra, err = splitObject(s.Status, "status.", &r.status); err != nil {
			return record{}, err
		}
	}
	return r, nil
}

// errUnreadable says that what was found is no record.
var errUnreadable = errors.New("the record cannot be read as a grant")

// errNewer says that a newer version of the program has written a record.
var errNewer = errors.New("the record was written by a newer version of this program, which has to read it too")

// decodeTokens reads the access tokens.
func (r *record) decodeTokens(tokens extras) error {
	for key, raw := range tokens {
		var t storedToken
		more, err := splitObject(raw, "access_tokens.", &t)
		if err != nil {
			return err
		}
		if t.AccessToken == "" {
			continue
		}
		r.tokens[key] = &Token{
			AccessToken: secret.New(t.AccessToken), Type: t.Type, Issued: t.Issued, Expiry: t.Expiry, Scopes: t.Scopes,
		}
		if len(more) > 0 {
			r.tokenExtra[key] = more
		}
	}
	return nil
}

// splitObject reads a JSON object into the struct that v points to and returns
// the fields that the struct does not have. Names are compared exactly, so
// that no field is both. Within names the object in errors.
func splitObject(raw json.RawMessage, within string, v any) (extras, error) {
	var fields extras
	if err := json.Unmarshal(raw, &fields); err != nil {
		// The cause may quote a value.
		return nil, fmt.Errorf("%w: %s is not a JSON object", errUnreadable, strings.TrimSuffix("it."+within, "."))
	}
	target := reflect.ValueOf(v).Elem()
	var failed error
	for i := range target.NumField() {
		name, _, _ := strings.Cut(target.Type().Field(i).Tag.Get("json"), ",")
		value, ok := fields[name]
		if name == "" || !ok {
			continue
		}
		if json.Unmarshal(value, target.Field(i).Addr().Interface()) != nil && failed == nil {
			failed = fmt.Errorf("%w: its field %s%s is of another kind", errUnreadable, within, name)
		}
		delete(fields, name)
	}
	return fields, failed
}

// joinObject returns a struct as a JSON object with further fields.
func joinObject(v any, more extras) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil || len(more) == 0 {
		return raw, err
	}
	fields := maps.Clone(more)
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}
