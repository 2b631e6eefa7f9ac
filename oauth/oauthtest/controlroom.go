package oauthtest

import (
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// ControlRoomURL returns the address of an endpoint that is not OAuth: it looks
// after tokens for programs, which show it RoomKey as a bearer token. The query
// names the mailbox and the resource; its parameter end says how the answer
// names the token's end: "in" (expires_in, the default), "on" (expires_on),
// "time" (expiry) or "none".
func (s *Server) ControlRoomURL() string { return s.base + ControlRoomPath }

// RoomKey returns what programs show to the control room, and to the interface
// of App Service.
func (s *Server) RoomKey() secret.Text {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apps.roomKey == "" {
		s.apps.roomKey = "room-" + rand.Text()
		s.remember(s.apps.roomKey)
	}
	return secret.New(s.apps.roomKey)
}

// serveControlRoom answers with a token of an account.
func (s *Server) serveControlRoom(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+s.RoomKey().Reveal() {
		writeJSON(w, http.StatusUnauthorized, map[string]string{"message": "show the key of the control room"})
		return
	}
	query := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	account, ok := s.account(query.Get("mailbox"))
	if !ok {
		writeJSON(w, http.StatusNotFound, map[string]string{"message": "no such mailbox"})
		return
	}
	scopes := slices.Clone(s.opts.MailScopes)
	if of := query.Get("resource"); of != "" {
		scopes = append(scopes, of)
	}
	value := s.newAccess(&family{account: account, scopes: scopes}, scopes)
	expires := s.tokens[value].expires
	answer := map[string]any{"access_token": value}
	switch query.Get("end") {
	case "none":
	case "on":
		answer["expires_on"] = expires.Unix()
	case "time":
		answer["expiry"] = expires.UTC().Format(time.RFC3339)
	default:
		answer["expires_in"] = int64(time.Until(expires) / time.Second)
	}
	writeJSON(w, http.StatusOK, answer)
}
