package screen

import (
	"hash/fnv"
	"image/color"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
)

// theme is how things look. No meaning is carried by colour alone: without it
// there remain bold, reverse and the marks themselves.
type theme struct {
	accent, dim, faint, bold, mine, good, bad, urgent, chosen, badge lipgloss.Style
	people                                                           []lipgloss.Style
}

// newTheme makes the theme for a terminal of so many colours. Where there are
// only the sixteen that the person has set, those are used: mixing one's own
// into them is how text becomes unreadable. The others are of the 256 that most
// terminals have, so that they look the same on all.
func newTheme(p colorprofile.Profile, dark bool) theme {
	pick := func(basic color.Color, light, night string) lipgloss.Style {
		c := basic
		if p > colorprofile.ANSI {
			c = lipgloss.LightDark(dark)(lipgloss.Color(light), lipgloss.Color(night))
		}
		return lipgloss.NewStyle().Foreground(c)
	}
	grey := color.Color(lipgloss.BrightBlack)
	t := theme{
		accent: pick(lipgloss.Yellow, "#875F00", "#D7AF5F").Bold(true),
		dim:    pick(grey, "#6C6C6C", "#949494"),
		faint:  pick(grey, "#C6C6C6", "#444444"),
		bold:   lipgloss.NewStyle().Bold(true),
		mine:   pick(lipgloss.Cyan, "#005FAF", "#87AFD7").Bold(true),
		good:   pick(lipgloss.Green, "#008700", "#87D787"),
		bad:    pick(lipgloss.Red, "#AF0000", "#FF8787").Bold(true),
	}
	t.urgent = t.bad.Reverse(true)
	t.badge = t.accent.Reverse(true)
	t.chosen = lipgloss.NewStyle().Reverse(true)
	if p > colorprofile.ANSI {
		t.chosen = lipgloss.NewStyle().Background(lipgloss.LightDark(dark)(lipgloss.Color("#E4E4E4"), lipgloss.Color("#303030")))
	}
	for _, c := range []struct {
		basic        color.Color
		light, night string
	}{
		{lipgloss.Green, "#00875F", "#87D7AF"}, {lipgloss.Magenta, "#8700AF", "#D7AFFF"}, {lipgloss.Blue, "#5F5FD7", "#AFAFFF"},
		{lipgloss.Red, "#AF5F00", "#FFAF87"}, {lipgloss.Cyan, "#008787", "#5FD7D7"}, {lipgloss.Yellow, "#878700", "#D7D787"},
	} {
		t.people = append(t.people, pick(c.basic, c.light, c.night).Bold(true))
	}
	return t
}

// person gives the style of somebody's name, always the same.
func (t theme) person(user string) lipgloss.Style {
	h := fnv.New32a()
	_, _ = h.Write([]byte(user)) // never fails
	return t.people[h.Sum32()%uint32(len(t.people))]
}
