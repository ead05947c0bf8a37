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
// into them is how text becomes unreadable.
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
		accent: pick(lipgloss.Yellow, "#8F5300", "#E8AE55").Bold(true),
		dim:    pick(grey, "#666B73", "#9197A0"),
		faint:  pick(grey, "#C3C7CD", "#454B54"),
		bold:   lipgloss.NewStyle().Bold(true),
		mine:   pick(lipgloss.Cyan, "#0B5CAD", "#82BEF0").Bold(true),
		good:   pick(lipgloss.Green, "#1C7A36", "#7CC98D"),
		bad:    pick(lipgloss.Red, "#B3261E", "#F4806F").Bold(true),
	}
	t.urgent = t.bad.Reverse(true)
	t.badge = t.accent.Reverse(true)
	t.chosen = lipgloss.NewStyle().Reverse(true)
	if p > colorprofile.ANSI {
		t.chosen = lipgloss.NewStyle().Background(lipgloss.LightDark(dark)(lipgloss.Color("#E4E8EE"), lipgloss.Color("#2C323B")))
	}
	for _, c := range []struct {
		basic        color.Color
		light, night string
	}{
		{lipgloss.Green, "#1C7A36", "#8CCB8F"}, {lipgloss.Magenta, "#8A3FA0", "#CF9BE0"}, {lipgloss.Blue, "#3556C4", "#92A8F4"},
		{lipgloss.Red, "#A83A1B", "#F0977A"}, {lipgloss.Cyan, "#00707D", "#68C6CE"}, {lipgloss.Yellow, "#7A6200", "#D5BF62"},
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
