package ewstest_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
)

// number names the number that a message has in its folder.
const number = `<t:ExtendedFieldURI PropertyTag="0x0e23" PropertyType="Integer"/>`

// TestAPageIsSoughtByACondition: it begins with the first item that meets the condition,
// from either end, and only with the releases that know it.
func TestAPageIsSoughtByACondition(t *testing.T) {
	seek := func(base, how string, n int) string {
		return fmt.Sprintf(`<m:SeekToConditionPageItemView MaxEntriesReturned="2" BasePoint=%q><t:Condition><t:%s>%s`+
			`<t:FieldURIOrConstant><t:Constant Value="%d"/></t:FieldURIOrConstant></t:%[2]s></t:Condition></m:SeekToConditionPageItemView>`, base, how, number, n)
	}
	ask := func(b *bed, view string) *reply {
		return b.ask(`<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="item:Subject"/>` +
			`</t:AdditionalProperties></m:ItemShape>` + view + `<m:SortOrder><t:FieldOrder Order="Descending">` + number + `</t:FieldOrder></m:SortOrder>` +
			`<m:ParentFolderIds>` + known("inbox") + `</m:ParentFolderIds></m:FindItem>`)
	}
	b := newBed(t, &ewstest.Options{Strict: true})
	for n := range 6 {
		b.append("INBOX", mailtest.Sample(n+1))
	}
	for _, tt := range []struct {
		view string
		want []string
		last string
	}{
		{seek("Beginning", "IsLessThan", 5), []string{"Sample 4", "Sample 3"}, "false"},
		{seek("Beginning", "IsLessThan", 3), []string{"Sample 2", "Sample 1"}, "true"},
		{seek("Beginning", "IsLessThan", 1), nil, "true"},
		{seek("End", "IsGreaterThan", 2), []string{"Sample 4", "Sample 3"}, "false"},
	} {
		r := ask(b, tt.view).want(200, `TotalItemsInView="6"`, `IncludesLastItemInRange="`+tt.last+`"`)
		if got := r.all(`<t:Subject>([^<]*)<`); !slices.Equal(got, tt.want) {
			t.Errorf("%s finds %q, want %q", tt.view, got, tt.want)
		}
	}
	b.unsound = true
	ask(b, `<m:SeekToConditionPageItemView MaxEntriesReturned="2" BasePoint="Beginning"/>`).want(500, "ErrorSchemaValidation", "Expected is 'Condition'")
	ask(b, seek("Beginning", "IsLessThan", 5)+`<m:IndexedPageItemView MaxEntriesReturned="2" Offset="0" BasePoint="Beginning"/>`).want(500, "ErrorSchemaValidation")
	old := newBed(t, &ewstest.Options{Strict: true, Version: ewstest.Exchange2010SP2})
	old.unsound = true
	ask(old, seek("Beginning", "IsLessThan", 5)).want(500, "ErrorSchemaValidation")
}
