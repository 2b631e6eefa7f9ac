package ewstest

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

func otherOperations() map[string]operation {
	return map[string]operation{
		"ConvertId":                 {run: convertID, since: Exchange2007SP1},
		"ResolveNames":              {run: resolveNames},
		"ExpandDL":                  {run: expandDL},
		"GetUserOofSettingsRequest": {run: getOof},
		"SetUserOofSettingsRequest": {run: setOof},
		"GetUserConfiguration":      {run: getUserConfiguration, since: "Exchange2010"},
		"GetServerTimeZones":        {run: getServerTimeZones, since: "Exchange2010"},
	}
}

// convertID writes the ids of this protocol in the forms of others.
func convertID(c *call) error {
	ids := c.req.child("SourceIds").all()
	to := c.req.attr("DestinationFormat")
	return c.respond(len(ids), func(i int) error {
		b, err := idBytes(ids[i].attr("Format"), ids[i].attr("Id"))
		if err != nil {
			return err
		}
		ews := base64.StdEncoding.EncodeToString(b)
		parsed, err := parseID(ews, itemKind)
		if err != nil {
			parsed, err = parseID(ews, folderKind)
		}
		if err != nil {
			return err
		}
		owner, err := c.mailboxOf(parsed)
		if err != nil {
			return err
		}
		c.w.empty("m:AlternateId", "xsi:type", "t:AlternateIdType", "Format", to, "Id", idText(to, b), "Mailbox", owner.Address())
		return nil
	})
}

// idBytes reads an id in one of the forms.
func idBytes(format, text string) ([]byte, error) {
	var b []byte
	var err error
	switch format {
	case "HexEntryId":
		b, err = hex.DecodeString(text)
	case "OwaId":
		if text, err = url.QueryUnescape(text); err == nil {
			b, err = base64.StdEncoding.DecodeString(text)
		}
	default:
		b, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil {
		return nil, fail("ErrorInvalidIdMalformed", "Id is malformed.")
	}
	return b, nil
}

func idText(format string, b []byte) string {
	switch format {
	case "HexEntryId":
		return strings.ToUpper(hex.EncodeToString(b))
	case "OwaId":
		return url.QueryEscape(base64.StdEncoding.EncodeToString(b))
	}
	return base64.StdEncoding.EncodeToString(b)
}

// resolveNames looks for accounts by a part of their address.
func resolveNames(c *call) error {
	wanted := strings.ToLower(c.req.child("UnresolvedEntry").value())
	wanted = strings.TrimPrefix(wanted, "smtp:")
	found := slices.DeleteFunc(c.server.box.Accounts(), func(a *mailtest.Account) bool {
		return wanted == "" || !strings.Contains(strings.ToLower(a.Address()), wanted)
	})
	if len(found) == 0 || c.items != nil {
		return c.respond(1, func(int) error {
			return fail("ErrorNameResolutionNoResults", "No results were found.")
		})
	}
	c.w.start("m:ResolveNamesResponse")
	c.w.start("m:ResponseMessages")
	if len(found) > 1 {
		c.w.start("m:ResolveNamesResponseMessage", "ResponseClass", "Warning")
		c.w.elem("m:MessageText", "Multiple results were found.")
		c.w.elem("m:ResponseCode", "ErrorNameResolutionMultipleResults")
		c.w.integer("m:DescriptiveLinkKey", 0)
	} else {
		c.w.start("m:ResolveNamesResponseMessage", "ResponseClass", "Success")
		c.w.elem("m:ResponseCode", "NoError")
	}
	p := page{total: len(found), last: true, next: len(found)}
	c.w.start("m:ResolutionSet", p.attrs()...)
	for _, a := range found {
		c.w.start("t:Resolution")
		writeMailbox(c.w, "", a.Address())
		c.w.end()
	}
	c.w.end()
	c.w.end()
	c.w.end()
	c.w.end()
	return nil
}

// expandDL knows no distribution lists.
func expandDL(c *call) error {
	return c.respond(1, func(int) error {
		return fail("ErrorNameResolutionNoResults", "No results were found.")
	})
}

// getUserConfiguration knows no configuration objects.
func getUserConfiguration(c *call) error {
	return c.respond(1, func(int) error { return notFound() })
}

// getServerTimeZones knows one, whole unless the request wants less.
func getServerTimeZones(c *call) error {
	const id, period = "UTC", "trule:Microsoft/Registry/UTC/1-Standard"
	full := c.req.attr("ReturnFullTimeZoneData")
	return c.respond(1, func(int) error {
		c.w.start("m:TimeZoneDefinitions")
		defer c.w.end()
		wanted := c.req.child("Ids").all()
		if len(wanted) > 0 && !slices.ContainsFunc(wanted, func(n *node) bool { return n.value() == id }) {
			return nil
		}
		c.w.start("t:TimeZoneDefinition", "Id", id, "Name", "(UTC) Coordinated Universal Time")
		if full == "" || truth(full) {
			c.w.start("t:Periods")
			c.w.empty("t:Period", "Bias", "P0D", "Name", "Standard", "Id", period)
			c.w.end()
			c.w.start("t:TransitionsGroups")
			c.w.start("t:TransitionsGroup", "Id", "0")
			c.writeTransition("Period", period)
			c.w.end()
			c.w.end()
			c.w.start("t:Transitions")
			c.writeTransition("Group", "0")
			c.w.end()
		}
		c.w.end()
		return nil
	})
}

func (c *call) writeTransition(kind, to string) {
	c.w.start("t:Transition")
	c.w.elem("t:To", to, "Kind", kind)
	c.w.end()
}

// oofOwner returns the account that out-of-office settings are asked of.
func (c *call) oofOwner() (*mailtest.Account, error) {
	address := c.req.find("Mailbox", "Address").value()
	if !strings.EqualFold(address, c.actor.Address()) {
		return nil, fail("ErrorAccessDenied", "Access is denied. Check credentials and try again.")
	}
	return c.actor, nil
}

// oofAnswer writes the answer to a request about out-of-office settings, which
// has another form than those of other operations.
func (c *call) oofAnswer(name string, err error, content func()) error {
	c.w.start("m:" + name)
	if err == nil && c.items != nil {
		err = c.items
	}
	if err != nil {
		f := asFailure(err)
		c.w.start("m:ResponseMessage", "ResponseClass", "Error")
		c.w.elem("m:MessageText", f.text)
		c.w.elem("m:ResponseCode", f.code)
		c.w.integer("m:DescriptiveLinkKey", 0)
		f.writeValues(c.w, "m:MessageXml")
	} else {
		c.w.start("m:ResponseMessage", "ResponseClass", "Success")
		c.w.elem("m:ResponseCode", "NoError")
	}
	c.w.end()
	if err == nil {
		content()
	}
	c.w.end()
	return nil
}

func getOof(c *call) error {
	owner, err := c.oofOwner()
	return c.oofAnswer("GetUserOofSettingsResponse", err, func() {
		c.server.mu.Lock()
		kept := c.server.oof[owner]
		c.server.mu.Unlock()
		c.w.start("t:OofSettings")
		if kept != nil {
			for _, n := range kept.children {
				c.w.copy(n)
			}
		} else {
			c.w.elem("t:OofState", "Disabled")
			c.w.elem("t:ExternalAudience", "All")
		}
		c.w.end()
		c.w.elem("m:AllowExternalOof", "All")
	})
}

func setOof(c *call) error {
	owner, err := c.oofOwner()
	if err == nil && c.items == nil {
		c.server.mu.Lock()
		c.server.oof[owner] = c.req.child("UserOofSettings")
		c.server.mu.Unlock()
	}
	return c.oofAnswer("SetUserOofSettingsResponse", err, func() {})
}

// copy writes an element of a request, whose elements are of the namespace of
// types.
func (w *writer) copy(n *node) {
	if len(n.children) == 0 {
		w.elem("t:"+n.name.Local, n.text)
		return
	}
	w.start("t:" + n.name.Local)
	for _, child := range n.children {
		w.copy(child)
	}
	w.end()
}
