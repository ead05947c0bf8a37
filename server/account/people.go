package account

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"sconce/api"
	"sconce/identity"
	"sconce/internal/duty"
	"sconce/internal/sqldb"
	"sconce/server/account/db"
)

const peoplePage = 100

// personName is a checked name: as shown, and as compared.
type personName struct{ shown, folded string }

// checkName keeps out what could not be told apart from another name when shown:
// control and format characters, spaces around or in a row. Letters of different
// scripts that look alike pass; the safety number is what tells people apart.
func checkName(name string) (personName, error) {
	if !utf8.ValidString(name) {
		return personName{}, api.Errorf(api.Invalid, "the name is not UTF-8")
	}
	shown := norm.NFC.String(strings.Join(strings.Fields(name), " "))
	n := personName{shown: shown, folded: fold(shown)}
	switch {
	case strings.TrimSpace(n.folded) == "":
		return personName{}, api.Errorf(api.Invalid, "the name is empty")
	case len(n.shown) > api.MaxName, len(n.folded) > maxFolded:
		return personName{}, api.Errorf(api.TooLarge, "the name has %d bytes; the limit is %d", len(shown), api.MaxName)
	}
	for _, r := range shown {
		if !unicode.IsPrint(r) || r == blank {
			return personName{}, api.Errorf(api.Invalid, "the name holds the unprintable character %U", r)
		}
	}
	return n, nil
}

const (
	blank = '\u2800' // a Braille pattern without a dot, which counts as printable

	// maxFolded bounds a name as it is compared. Some characters become many there,
	// and the cursor of a page of people is such a name.
	maxFolded = 2 * api.MaxName
)

// fold brings names to one that differ only in case, in how their letters are put
// together, or in characters that draw nothing. Upper before lower, because some
// letters have two lower-case forms.
func fold(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return -1
		}
		return r
	}, norm.NFKC.String(s))
	return norm.NFKC.String(strings.ToLower(strings.ToUpper(s)))
}

func nameTaken(name string) *api.Error {
	return api.Errorf(api.Conflict, "the name %q is taken: choose another", name)
}

func (s *Service) requireFree(ctx context.Context, name personName) error {
	n, err := s.reads.HasName(ctx, []byte(name.folded))
	if err != nil {
		return fmt.Errorf("looking up name: %w", err)
	}
	if n > 0 {
		return nameTaken(name.shown)
	}
	return nil
}

// Name gives what a person is called, and whether there is such a person.
func (s *Service) Name(ctx context.Context, user identity.UserID) (string, bool, error) {
	name, err := s.reads.Person(ctx, user[:])
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("reading person: %w", err)
	}
	return name, true, nil
}

// Rename changes the caller's name.
func (s *Service) Rename(ctx context.Context, c duty.Caller, req *api.RenameRequest) (*api.Empty, error) {
	name, err := checkName(req.Name)
	if err != nil {
		return nil, err
	}
	if err := s.renames.Take(c.User, 1); err != nil {
		return nil, err
	}
	n, err := s.queries.RenamePerson(ctx, db.RenamePersonParams{
		Name: name.shown, Folded: name.folded, Sort: []byte(name.folded), UserID: c.User[:],
	})
	switch {
	case sqldb.IsConflict(err):
		return nil, nameTaken(name.shown)
	case err != nil:
		return nil, fmt.Errorf("renaming: %w", err)
	case n == 0:
		return nil, api.Errorf(api.NotFound, "there is no such person")
	}
	return &api.Empty{}, nil
}

// People lists the directory: those whose name holds the query, or just the
// users asked for, in order of name.
func (s *Service) People(ctx context.Context, c duty.Caller, req *api.PeopleRequest) (*api.PeopleResponse, error) {
	if err := s.lookups.Take(c.Device, 1); err != nil {
		return nil, err
	}
	if len(req.Query) > api.MaxName || len(req.After) > 4*api.MaxName || len(req.Users) > api.MaxBatch || req.Limit > api.MaxBatch {
		return nil, api.Errorf(api.TooLarge, "at most %d people at once, found by at most %d bytes of a name", api.MaxBatch, api.MaxName)
	}
	if req.Limit < 0 || !utf8.ValidString(req.Query) || strings.ContainsRune(req.Query, 0) {
		return nil, api.Errorf(api.Invalid, "a limit is not negative, and a query is text")
	}
	resp := &api.PeopleResponse{}
	var err error
	if len(req.Users) > 0 {
		resp.People, err = s.just(ctx, req.Users)
	} else {
		resp.People, resp.Next, err = s.search(ctx, req)
	}
	if err != nil {
		return nil, fmt.Errorf("listing people: %w", err)
	}
	if err := s.addPins(ctx, resp.People); err != nil {
		return nil, err
	}
	return resp, nil
}

func (s *Service) just(ctx context.Context, users []api.UserID) ([]api.Person, error) {
	args := make([]any, len(users))
	for i := range users {
		args[i] = users[i][:]
	}
	rows, err := s.db.Read.QueryContext(ctx,
		"SELECT user_id, name FROM person WHERE user_id IN ("+sqldb.Placeholders(len(users))+") ORDER BY sort", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var people []api.Person
	for rows.Next() {
		var user []byte
		var p api.Person
		if err := rows.Scan(&user, &p.Name); err != nil {
			return nil, err
		}
		copy(p.User[:], user)
		people = append(people, p)
	}
	return people, rows.Err()
}

// search asks for one row more than the page, to know whether there is a next.
func (s *Service) search(ctx context.Context, req *api.PeopleRequest) (people []api.Person, next string, err error) {
	after, err := hex.DecodeString(req.After)
	if err != nil {
		return nil, "", api.Errorf(api.Invalid, "the cursor is not one of this endpoint's")
	}
	limit := req.Limit
	if limit == 0 {
		limit = peoplePage
	}
	rows, err := s.reads.People(ctx, db.PeopleParams{
		After: after, Query: fold(req.Query), Page: int32(limit + 1),
	})
	if err != nil {
		return nil, "", err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = hex.EncodeToString(rows[limit-1].Sort)
	}
	for _, row := range rows {
		people = append(people, api.Person{User: api.UserID(row.UserID), Name: row.Name})
	}
	return people, next, nil
}

func (s *Service) addPins(ctx context.Context, people []api.Person) error {
	users := make([]identity.UserID, len(people))
	for i := range people {
		users[i] = people[i].User
	}
	pins, err := s.logs.Pins(ctx, users)
	if err != nil {
		return fmt.Errorf("reading lengths of logs: %w", err)
	}
	for i := range people {
		pin := pins[people[i].User]
		people[i].LogLength, people[i].LogHead = uint32(pin.Length), api.Hash(pin.Head)
	}
	return nil
}
