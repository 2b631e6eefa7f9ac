package ewstest

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/mailsession/mailsession/mailtest"
)

// call is one operation while it is carried out.
type call struct {
	server  *Server
	ctx     context.Context //nolint:containedctx // The life of a call is that of its request.
	req     *node           // the operation's element
	version Version         // what the client asked for, or the server's where that is older
	who     who
	actor   *mailtest.Account // whom the request acts for
	w       *writer
	trees   map[*mailtest.Account][]*folder
	items   *failure // for every response message, where a fault says so
	answer  *answer  // set where the operation answers in a way of its own
}

// operation is what the server does about one element of a SOAP body.
type operation struct {
	since Version
	run   func(c *call) error
}

// operations returns what the server knows, by the name of the element.
var operations = sync.OnceValue(func() map[string]operation { //nolint:gochecknoglobals // Computed once, never changed.
	all := make(map[string]operation)
	for _, group := range []map[string]operation{
		folderOperations(), itemOperations(), attachmentOperations(), noticeOperations(), otherOperations(),
	} {
		maps.Copy(all, group)
	}
	return all
})

// soap answers a request to the service.
func (x *exchange) soap(ctx context.Context) (*answer, error) {
	envelope, err := parseXML(x.body)
	body := envelope.child("Body")
	request := body.first()
	if err != nil || !envelope.is("Envelope") || request == nil {
		return x.perform("HTTP", "malformed", func() *answer { return plain(http.StatusBadRequest) })
	}
	c := &call{server: x.server, ctx: ctx, req: request, who: x.auth.who, actor: x.auth.who.account}
	name := request.name.Local
	header := envelope.child("Header")
	x.record.Version = header.child("RequestServerVersion").attr("Version")
	refused := c.begin(ctx, envelope, header)
	if c.actor != nil {
		x.record.Mailbox = c.actor.Address()
	}
	return x.perform(name, summary(request), func() *answer {
		if refused != nil {
			return x.server.soapFault(refused)
		}
		c.items = x.failing
		return c.run(name)
	})
}

// begin checks what holds for every operation.
func (c *call) begin(ctx context.Context, envelope, header *node) *failure {
	if f := c.negotiateVersion(header); f != nil {
		return f
	}
	if _, known := operations()[c.req.name.Local]; !known {
		return fail("ErrorSchemaValidation", "The request failed schema validation: there is no operation '%s'.", c.req.name.Local)
	}
	if c.server.options.Strict {
		if f := checkEnvelope(envelope); f != nil {
			return f
		}
	}
	return c.impersonate(ctx, header)
}

// negotiateVersion finds the version that the request is made in.
func (c *call) negotiateVersion(header *node) *failure {
	mine := c.server.options.Version
	asked := Version(header.child("RequestServerVersion").attr("Version"))
	_, known := asked.age()
	switch {
	case asked == "" && c.server.options.Strict:
		c.version = Exchange2007SP1
	case asked == "" || !c.server.options.Strict && mine == Exchange2016 && !mine.atLeast(asked):
		c.version = mine
	case !known || !mine.atLeast(asked):
		return fail("ErrorInvalidServerVersion", "The specified server version is invalid.")
	default:
		c.version = asked
	}
	return nil
}

// run carries the operation out.
func (c *call) run(name string) *answer {
	op := operations()[name]
	switch {
	case !c.server.options.Version.atLeast(op.since):
		return c.server.soapFault(fail("ErrorSchemaValidation",
			"The request failed schema validation: there is no operation '%s'.", name))
	case !c.version.atLeast(op.since):
		return c.server.soapFault(fail("ErrorIncorrectSchemaVersion",
			"The request is valid but is not for the specified server version in the RequestServerVersion SOAP header."))
	}
	c.w = &writer{raw: c.server.options.RawText}
	c.server.openEnvelope(c.w)
	if err := op.run(c); err != nil {
		return c.server.soapFault(asFailure(err))
	}
	if c.answer != nil {
		return c.answer
	}
	closeEnvelope(c.w)
	return &answer{status: http.StatusOK, header: xmlHeader(), body: c.w.b}
}

func xmlHeader() []string { return []string{"Content-Type", "text/xml; charset=utf-8"} }

// openEnvelope begins an answer.
func (s *Server) openEnvelope(w *writer) {
	w.b = append(w.b, `<?xml version="1.0" encoding="utf-8"?>`...)
	w.start("s:Envelope", "xmlns:s", soapSpace)
	w.start("s:Header")
	w.empty("h:ServerVersionInfo", append(s.options.Version.build(), "xmlns:h", typesSpace)...)
	w.end()
	w.start("s:Body", "xmlns:m", messagesSpace, "xmlns:t", typesSpace, "xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
}

func closeEnvelope(w *writer) {
	for len(w.open) > 0 {
		w.end()
	}
}

// failure is an error in the words of the protocol.
type failure struct {
	code, text string
	values     []string // names and values of MessageXml
	violation  string   // of the schema
	status     int      // of a SOAP fault; 500 if 0
}

func (f *failure) Error() string { return "ewstest: " + f.code }

// asFailure returns the failure that an error is, or is told as.
func asFailure(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	switch {
	case errors.Is(err, mailtest.ErrOverQuota):
		return fail("ErrorQuotaExceeded", "The quota of the mailbox has been exceeded.")
	case errors.Is(err, mailtest.ErrFolderExists):
		return fail("ErrorFolderExists", "A folder with the specified name already exists.")
	case errors.Is(err, mailtest.ErrNoFolder):
		return fail("ErrorFolderNotFound", "The specified folder could not be found in the store.")
	case errors.Is(err, mailtest.ErrNoMessage):
		return notFound()
	}
	return fail("ErrorInternalServerError", "An internal server error occurred. The operation failed.")
}

func notFound() *failure {
	return fail("ErrorItemNotFound", "The specified object was not found in the store.")
}

// soapFault tells a failure of the whole request.
func (s *Server) soapFault(f *failure) *answer {
	w := &writer{}
	w.b = append(w.b, `<?xml version="1.0" encoding="utf-8"?>`...)
	w.start("s:Envelope", "xmlns:s", soapSpace)
	w.start("s:Body")
	w.start("s:Fault")
	w.elem("faultcode", "a:"+f.code, "xmlns:a", typesSpace)
	w.elem("faultstring", f.text, "xml:lang", "en-US")
	w.start("detail")
	w.elem("e:ResponseCode", f.code, "xmlns:e", errorsSpace)
	w.elem("e:Message", f.text, "xmlns:e", errorsSpace)
	f.writeValues(w, "t:MessageXml", "xmlns:t", typesSpace)
	closeEnvelope(w)
	status := f.status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	return &answer{status: status, header: xmlHeader(), body: w.b}
}

// writeValues writes the machine-readable part of a failure.
func (f *failure) writeValues(w *writer, name string, attrs ...string) {
	if f.violation != "" {
		w.start(name, attrs...)
		w.integer("t:LineNumber", 0)
		w.integer("t:LinePosition", 0)
		w.elem("t:Violation", f.violation)
		w.end()
		return
	}
	if len(f.values) == 0 {
		return
	}
	w.start(name, attrs...)
	for i := 0; i+1 < len(f.values); i += 2 {
		w.elem("t:Value", f.values[i+1], "Name", f.values[i])
	}
	w.end()
}

// respond writes the answer to an operation: one response message for each of
// count things, made by each, whose error becomes that message's.
func (c *call) respond(count int, each func(i int) error) error {
	return c.respondWith(count, "", each)
}

// respondWith is respond for operations whose response messages have an element
// also where they report an error.
func (c *call) respondWith(count int, always string, each func(i int) error) error {
	name := c.req.name.Local
	c.w.start("m:" + name + "Response")
	c.w.start("m:ResponseMessages")
	for i := range count {
		length, depth := c.w.mark()
		c.w.start("m:"+name+"ResponseMessage", "ResponseClass", "Success")
		c.w.elem("m:ResponseCode", "NoError")
		var err error
		if c.items != nil {
			err = c.items
		} else {
			err = each(i)
		}
		if err == nil {
			c.w.end()
			continue
		}
		c.w.cut(length, depth)
		c.failed(name, always, asFailure(err))
	}
	c.w.end()
	c.w.end()
	return nil
}

// failed writes the response message of something that went wrong.
func (c *call) failed(name, always string, f *failure) {
	class := "Error"
	if f.code == "ErrorBatchProcessingStopped" || strings.HasPrefix(f.code, "ErrorNameResolutionMultiple") {
		class = "Warning"
	}
	c.w.start("m:"+name+"ResponseMessage", "ResponseClass", class)
	c.w.elem("m:MessageText", f.text)
	c.w.elem("m:ResponseCode", f.code)
	c.w.integer("m:DescriptiveLinkKey", 0)
	f.writeValues(c.w, "m:MessageXml")
	if always != "" {
		c.w.empty(always)
	}
	c.w.end()
}
