package storybook_test

import (
	"fmt"
	"strings"

	"github.com/samlet-id/samlet/templates"
	"github.com/samlet-id/samlet/templates/storybook"
)

func ExampleSamples() {
	set, err := templates.New(templates.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range storybook.Samples() {
		if s.Name != "signin" {
			continue
		}
		var page strings.Builder
		err := set.Render(&page, s.Page, templates.Chrome{})
		fmt.Println(s.Name, err, strings.Contains(page.String(), "Acme App"))
	}
	// Output: signin <nil> true
}
