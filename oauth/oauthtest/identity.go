package oauthtest

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// The paths of the interfaces to managed identities and to the control room,
// for [Server.Inject] and [Server.Hits].
const (
	IMDSPath        = "/metadata/identity/oauth2/token"
	AppServicePath  = "/msi/token"
	ControlRoomPath = "/control-room/token"
)

// Identity is a managed identity, as Azure has them. It gets the same token
// again until half of its time is over, as at Azure.
type Identity struct {
	// ClientID, ObjectID and ResourceID are its names.
	ClientID, ObjectID, ResourceID string
	// Permissions and Mailboxes are as those of an App.
	Permissions, Mailboxes []string
}

// IdentityEnv returns what the environment of a service on App Service names,
// for a function in the place of os.Getenv.
func (s *Server) IdentityEnv() map[string]string {
	return map[string]string{"IDENTITY_ENDPOINT": s.base + AppServicePath, "IDENTITY_HEADER": s.RoomKey().Reveal()}
}

// serveIMDS is the Azure Instance Metadata Service.
func (s *Server) serveIMDS(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case r.Header.Get("Metadata") != "true":
		refuseIdentity(w, "Required metadata header not specified")
	case r.Header.Get("X-Forwarded-For") != "":
		refuseIdentity(w, "The request was forwarded")
	case query.Get("api-version") != "2018-02-01":
		refuseIdentity(w, "Bad request. api-version is invalid or was not specified in the request.")
	default:
		s.identityToken(w, query, "object_id", "msi_res_id", func(t *token, value string) map[string]any {
			left := strconv.FormatInt(int64(time.Until(t.expires)/time.Second), 10)
			return map[string]any{"access_token": value, "expires_in": left, "ext_expires_in": left}
		})
	}
}

// serveAppService is the interface of App Service, Functions and Container
// Apps.
func (s *Server) serveAppService(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case r.Header.Get("X-Identity-Header") != s.RoomKey().Reveal():
		writeJSON(w, http.StatusUnauthorized, map[string]any{"statusCode": http.StatusUnauthorized, "message": "Unauthorized"})
	case query.Get("api-version") != "2019-08-01":
		refuseIdentity(w, "Unsupported api-version")
	default:
		s.identityToken(w, query, "principal_id", "mi_res_id", func(_ *token, value string) map[string]any {
			return map[string]any{"access_token": value}
		})
	}
}

func refuseIdentity(w http.ResponseWriter, description string) {
	writeJSON(w, http.StatusBadRequest, errorBody("invalid_request", "", description))
}

// identityToken answers with a token of the identity that a query names.
func (s *Server) identityToken(w http.ResponseWriter, query url.Values, objectID, resourceID string, body func(*token, string) map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.identity(query, objectID, resourceID)
	of := query.Get("resource")
	if !ok || of == "" {
		refuseIdentity(w, "Identity not found")
		return
	}
	key := id.ClientID + " " + of
	value := s.apps.identities[key]
	t := s.tokens[value]
	now := time.Now()
	if t == nil || now.Sub(t.issued) >= t.expires.Sub(t.issued)/2 {
		var scopes []string
		for _, p := range id.Permissions {
			if resource(p) == of {
				scopes = append(scopes, p)
			}
		}
		owner := Account{Subject: id.ObjectID, Email: id.ClientID, Mailboxes: id.Mailboxes}
		value = s.newAccess(&family{account: owner, client: id.ClientID, scopes: scopes}, scopes)
		t = s.tokens[value]
		if s.apps.identities == nil {
			s.apps.identities = make(map[string]string)
		}
		s.apps.identities[key] = value
	}
	answer := body(t, value)
	answer["client_id"], answer["resource"], answer["token_type"] = id.ClientID, of, "Bearer"
	answer["expires_on"] = strconv.FormatInt(t.expires.Unix(), 10)
	writeJSON(w, http.StatusOK, answer)
}

// identity returns the one that a query names, the first where it names none.
func (s *Server) identity(query url.Values, objectID, resourceID string) (Identity, bool) {
	for _, id := range s.opts.Identities {
		switch {
		case query.Has("client_id") && query.Get("client_id") != id.ClientID,
			query.Has(objectID) && query.Get(objectID) != id.ObjectID,
			query.Has(resourceID) && query.Get(resourceID) != id.ResourceID:
		default:
			return id, true
		}
	}
	return Identity{}, false
}
