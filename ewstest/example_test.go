package ewstest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

func Example() {
	box := mailtest.New()
	box.Add("ann@example.com", secret.New("correct horse"))
	server := ewstest.New(box, nil)
	defer func() { _ = server.Close() }()

	// The first request is told to come back later.
	server.Inject(ewstest.Busy("GetFolder", 5*time.Second))

	// A real test hands server.Dial to the client under test.
	client := &http.Client{Transport: &http.Transport{DialContext: server.Dial, DisableKeepAlives: true}}
	for range 2 {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://mail.example.com"+ewstest.Path, strings.NewReader(
			`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>`+
				`<GetFolder xmlns="http://schemas.microsoft.com/exchange/services/2006/messages"`+
				` xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">`+
				`<FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape>`+
				`<FolderIds><t:DistinguishedFolderId Id="inbox"/></FolderIds></GetFolder></s:Body></s:Envelope>`))
		if err != nil {
			fmt.Println(err)
			return
		}
		req.SetBasicAuth("ann@example.com", "correct horse")
		resp, err := client.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Println(resp.Status, strings.Contains(string(body), "<t:DisplayName>Inbox</t:DisplayName>"))
	}
	last := server.Requests()[1]
	fmt.Println(last.User, "asked for", last.Operation, "with", last.Header.Get("Authorization"))
	// Output:
	// 500 Internal Server Error false
	// 200 OK true
	// ann@example.com asked for GetFolder with Basic [redacted]
}
