package ewstest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
)

func TestAStrictServerRefusesWhatIsNotInTheSchema(t *testing.T) {
	shape := func(rest string) string {
		return `<m:GetItem><m:ItemShape>` + rest + `</m:ItemShape><m:ItemIds><t:ItemId Id="x"/></m:ItemIds></m:GetItem>`
	}
	for _, rule := range []struct{ name, request, violation string }{
		{"order", shape(`<t:IncludeMimeContent>true</t:IncludeMimeContent><t:BaseShape>IdOnly</t:BaseShape>`), "Expected is 'BaseShape'"},
		{"missing element", `<m:GetFolder><m:FolderIds>` + known("inbox") + `</m:FolderIds></m:GetFolder>`, "Expected is 'FolderShape'"},
		{"incomplete", `<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape></m:GetFolder>`, "Expected is 'FolderIds'"},
		{"unknown element", shape(`<t:BaseShape>IdOnly</t:BaseShape><t:Colour>red</t:Colour>`), "'Colour'"},
		{"namespace", shape(`<m:BaseShape>IdOnly</m:BaseShape>`), "'BaseShape' in namespace"},
		{"value", shape(`<t:BaseShape>Everything</t:BaseShape>`), "'Everything'"},
		{"boolean", shape(`<t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>yes</t:IncludeMimeContent>`), "'yes'"},
		{"property", shape(`<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="item:Colour"/></t:AdditionalProperties>`), "item:Colour"},
		{"folder", getFolder("IdOnly", known("invalidparentid")), "invalidparentid"},
		{"missing attribute", `<m:DeleteItem><m:ItemIds><t:ItemId Id="x"/></m:ItemIds></m:DeleteItem>`, "'DeleteType' is missing"},
		{"twice", shape(`<t:BaseShape>IdOnly</t:BaseShape><t:BaseShape>IdOnly</t:BaseShape>`), "'BaseShape'"},
	} {
		b := newBed(t, &ewstest.Options{Strict: true})
		b.unsound = true
		b.ask(rule.request).want(500, "a:ErrorSchemaValidation", "<t:Violation>", rule.violation)
	}
	b := newBed(t, nil)
	b.unsound = true
	b.ask(getFolder("IdOnly", known("invalidparentid"))).want(200, "ErrorFolderNotFound")
}

func TestAStrictServerFindsNoBodies(t *testing.T) {
	b := newBed(t, &ewstest.Options{Strict: true})
	b.append("INBOX", mailtest.Sample(1))
	b.unsound = true
	more := `<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="item:Body"/></t:AdditionalProperties></m:ItemShape>` +
		`<m:ParentFolderIds>` + known("inbox") + `</m:ParentFolderIds></m:FindItem>`
	b.ask(more).want(500, "ErrorInvalidPropertyRequest")
}

// TestTheStrictServerJudgesAsTheSchemaDoes has it read every recorded and
// documented request that is at hand, and compares with what the schema says.
func TestTheStrictServerJudgesAsTheSchemaDoes(t *testing.T) {
	fixtures, schema := os.Getenv("MAILSESSION_EWS_FIXTURES"), os.Getenv("MAILSESSION_EWS_SCHEMA")
	xmllint, err := exec.LookPath("xmllint")
	if fixtures == "" || schema == "" || err != nil {
		t.Skip("MAILSESSION_EWS_FIXTURES and MAILSESSION_EWS_SCHEMA do not name the data, or there is no xmllint")
	}
	b := newBed(t, &ewstest.Options{Strict: true})
	b.unsound = true
	files, err := filepath.Glob(filepath.Join(fixtures, "*", "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--noout", "--schema", filepath.Join(schema, "soap-ews.xsd")}, files...)
	judged, _ := exec.CommandContext(t.Context(), xmllint, args...).CombinedOutput() //nolint:gosec // G204: data of the test.
	agreed, checked := 0, 0
	for _, name := range files {
		data, err := os.ReadFile(name) //nolint:gosec // G304: data of the test.
		if err != nil {
			t.Fatal(err)
		}
		r := b.post(string(data))
		if r.status == 400 || strings.Contains(r.body, "there is no operation") || strings.Contains(r.body, "ErrorInvalidServerVersion") {
			continue
		}
		checked++
		refused := strings.Contains(r.body, "ErrorSchemaValidation")
		if valid := strings.Contains(string(judged), name+" validates\n"); valid == !refused {
			agreed++
		} else {
			t.Logf("%s: valid %v, refused %v: %q", filepath.Base(name), valid, refused, r.all(`Violation>([^<]*)<`))
		}
	}
	t.Logf("%d of %d requests are judged as the schema does", agreed, checked)
	if checked < 100 || agreed*100 < checked*95 {
		t.Errorf("%d of %d requests are judged as the schema does, want 95 in 100 of at least 100", agreed, checked)
	}
}
