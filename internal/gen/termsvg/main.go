// Command termsvg draws what stands on a terminal as an SVG, from what
// "tmux capture-pane -e -p" gives: text, line by line, with the codes of its
// colours. scripts/terminal-picture.sh calls it for the picture in README.
//
//	tmux capture-pane -e -p | go run ./internal/gen/termsvg > docs/screens/terminal.svg
package main

import (
	"bufio"
	"fmt"
	"html"
	"image/color"
	"io"
	"os"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "termsvg:", err)
		os.Exit(1)
	}
}

// The size of a character, and of the rim around all, in pixels.
const (
	wide, high = 9, 19
	rim        = 14
	textSize   = 15
	baseline   = 14 // of a line, from its top
)

// The colours where a program sets none: a dark terminal.
const (
	ground = "#15181D"
	ink    = "#D6DAE0"
)

func run(in io.Reader, out io.Writer) error {
	b, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	text := uv.NewStyledString(strings.TrimRight(string(b), "\n"))
	columns, height := text.WcWidth(), text.Height()
	screen := uv.NewScreenBuffer(columns, height)
	screen.Method = ansi.WcWidth
	text.Draw(screen, screen.Bounds())
	w := bufio.NewWriter(out)
	right, below := columns*wide+2*rim, height*high+2*rim
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="%d">`+"\n", right, below, right, below, textSize)
	fmt.Fprintf(w, `<rect width="%d" height="%d" rx="10" fill="%s"/>`+"\n", right, below, ground)
	for y, l := range screen.Lines {
		drawLine(w, l, rim+y*high)
	}
	fmt.Fprintln(w, "</svg>")
	return w.Flush()
}

// drawLine draws characters that look the same as one, at exact columns.
func drawLine(w io.Writer, cells uv.Line, top int) {
	column := 0
	for i := 0; i < len(cells); {
		from, start, text := i, column, ""
		// The columns behind the first of a wide character are cells of no width.
		for i < len(cells) && (cells[i].Width == 0 || cells[i].Style.Equal(&cells[from].Style)) {
			text += cells[i].Content
			column += cells[i].Width
			i++
		}
		drawRun(w, text, cells[from].Style, rim+start*wide, top, (column-start)*wide)
	}
}

func drawRun(w io.Writer, text string, s uv.Style, x, top, width int) {
	fg, bg := hex(s.Fg, ink), hex(s.Bg, ground)
	if s.Attrs&uv.AttrReverse != 0 {
		fg, bg = bg, fg
	}
	if bg != ground {
		fmt.Fprintf(w, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", x, top, width, high, bg)
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	weight := ""
	if s.Attrs&uv.AttrBold != 0 {
		weight = ` font-weight="bold"`
	}
	fmt.Fprintf(w, `<text x="%d" y="%d" textLength="%d" lengthAdjust="spacingAndGlyphs" fill="%s"%s xml:space="preserve">%s</text>`+"\n",
		x, top+baseline, width, fg, weight, html.EscapeString(text))
}

func hex(c color.Color, none string) string {
	if c == nil {
		return none
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02X%02X%02X", r>>8, g>>8, b>>8)
}
