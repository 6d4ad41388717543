package peer_test

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/samlet-id/samlet/internal/peer"
)

func TestPostgresGivesEachTestADatabase(t *testing.T) {
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sql.Open("pgx", peer.Postgres(t))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), "CREATE TABLE mine (name text)"); err != nil {
				t.Fatalf("a fresh database refuses a new table: %v", err)
			}
		})
	}
}
