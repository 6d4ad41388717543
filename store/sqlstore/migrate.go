package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// migrations holds the schema's history, one folder per database, forward only.
// A number means the same step in both.
//
//go:embed migrations
var migrations embed.FS

// migrate brings the schema of db up to date. Several processes may do so at
// once: whoever finds that another one has done the next step meanwhile goes on
// from there. A schema that is newer than this program is refused.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, folder string, errs mapper, opts ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	p, err := goose.NewProvider(dialect, db, files, append(opts, goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return errs.apply(err)
	}
	var last error
	for before := int64(-1); ; {
		current, target, err := p.GetVersions(ctx)
		if err != nil {
			return errs.apply(err)
		}
		if current > target {
			return unavailable("store.newer", fmt.Sprintf(
				"The database was written by a newer samlet (schema %d, this one knows %d); use that version or restore a backup.", current, target), nil)
		}
		if current == target {
			return nil
		}
		if current == before { // not even somebody else made progress
			return errs.apply(last)
		}
		before = current
		_, last = p.Up(ctx)
	}
}
