package oauthtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// The ids in the errors that Microsoft's faults imitate.
const (
	// FaultTraceID is the trace_id.
	FaultTraceID = "3939d04c-d7ba-42bf-9cb7-1e5854cdce9e"
	// FaultCorrelationID is the correlation_id.
	FaultCorrelationID = "a8125194-2dc8-4078-90ba-7b6592a7f231"
)

// Entra returns a Fault in the shape of Microsoft Entra: an error of the token
// endpoint with a number such as 700082, and what Microsoft's server says
// beside it: error_codes, timestamp, trace_id, correlation_id, error_uri and,
// where it is not empty, suberror. An invalid_client has status 401, anything
// else 400.
//
// The shape is that of
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#error-response-1
func Entra(number int, code, suberror, text string) Fault {
	const stamp = "2016-01-09 02:02:12Z"
	status := http.StatusBadRequest
	if code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	return shaped(status, struct {
		Error         string `json:"error"`
		Description   string `json:"error_description"`
		Codes         []int  `json:"error_codes"`
		Timestamp     string `json:"timestamp"`
		TraceID       string `json:"trace_id"`
		CorrelationID string `json:"correlation_id"`
		URI           string `json:"error_uri"`
		Suberror      string `json:"suberror,omitempty"`
	}{
		code,
		fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", number, text, FaultTraceID, FaultCorrelationID, stamp),
		[]int{number},
		stamp, FaultTraceID, FaultCorrelationID,
		"https://login.microsoftonline.com/error?code=" + strconv.Itoa(number),
		suberror,
	})
}

// Google returns a Fault in the shape of Google's token endpoint: error,
// error_description and, where it is not empty, error_subtype. An
// invalid_client has status 401, anything else 400.
func Google(code, subtype, description string) Fault {
	status := http.StatusBadRequest
	if code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	return shaped(status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
		Subtype     string `json:"error_subtype,omitempty"`
	}{code, description, subtype})
}

// shaped returns a Fault with a JSON body.
func shaped(status int, body any) Fault {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("oauthtest: a fault cannot be marshalled: %v", err)) // strings and numbers always can
	}
	return Fault{Status: status, Body: string(text), ContentType: "application/json; charset=utf-8"}
}
