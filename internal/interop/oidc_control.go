package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// maxAnswer is how much of an answer of the authorization server is read.
const maxAnswer = 1 << 20

// InjectToken has the next token request answered with a status and an empty
// body. Nothing is done about it. Faults are used up one by one, in order.
func (o *OIDC) InjectToken(ctx context.Context, status int) error {
	return o.command(ctx, "/fault?status="+strconv.Itoa(status))
}

// LoseNextToken has the next token request carried out and its answer lost: the
// connection ends without one.
func (o *OIDC) LoseNextToken(ctx context.Context) error { return o.command(ctx, "/fault?lost=1") }

// Revoke ends all sign-ins of an account, with all their tokens, as a user does
// who withdraws access.
func (o *OIDC) Revoke(ctx context.Context, account string) error {
	return o.command(ctx, "/revoke?account="+url.QueryEscape(account))
}

// RevokeAccess ends all access tokens of an account and leaves the refresh
// tokens good. The revocation endpoint ends the whole sign-in instead, whichever
// of its tokens it is given (RFC 7009 section 2.1 leaves that to the server).
func (o *OIDC) RevokeAccess(ctx context.Context, account string) error {
	return o.command(ctx, "/revoke-access?account="+url.QueryEscape(account))
}

// Approve has an account agree to the sign-in of a device.
func (o *OIDC) Approve(ctx context.Context, userCode, account string) error {
	return o.command(ctx, "/approve?user_code="+url.QueryEscape(userCode)+"&account="+url.QueryEscape(account))
}

// Deny has the user decline the sign-in of a device.
func (o *OIDC) Deny(ctx context.Context, userCode string) error {
	return o.command(ctx, "/deny?user_code="+url.QueryEscape(userCode))
}

// Down has the server leave its port, with all connections broken off. It
// forgets nothing.
func (o *OIDC) Down(ctx context.Context) error { return o.command(ctx, "/down") }

// Up has a server that is down listen on its port again.
func (o *OIDC) Up(ctx context.Context) error { return o.command(ctx, "/up") }

// Hits returns how often each endpoint was asked for, by path; those for tokens
// by path and grant type, such as "/token refresh_token".
func (o *OIDC) Hits(ctx context.Context) (map[string]int, error) {
	var hits map[string]int
	err := o.ask(ctx, http.MethodGet, "/hits", &hits)
	return hits, err
}

// command has the server do something behind its clients' backs.
func (o *OIDC) command(ctx context.Context, path string) error {
	return o.ask(ctx, http.MethodPost, path, &struct{}{})
}

// ask sends a request to a control endpoint and reads the answer.
func (o *OIDC) ask(ctx context.Context, method, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, o.control+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("interop: authorization server: %w", err)
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return fmt.Errorf("interop: authorization server: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("interop: authorization server: %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("interop: authorization server: %s: %s: %s", path, resp.Status, text)
	}
	return json.Unmarshal(text, answer)
}
