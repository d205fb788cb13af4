// local-kms on the loopback interface only: its own program listens on every address of the machine.
//
//	local-kms PORT DIRECTORY
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"sync/atomic"

	kms "github.com/nsmithuk/local-kms/src"
	"github.com/nsmithuk/local-kms/src/config"
	"github.com/nsmithuk/local-kms/src/data"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: local-kms PORT DIRECTORY")
	}
	config.AWSAccountId = "111122223333"
	config.AWSRegion = "us-east-1"
	config.DatabasePath = os.Args[2]
	database := data.NewDatabase(config.DatabasePath)
	defer database.Close()
	var requests atomic.Int64
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		// Real KMS names every request; local-kms names none.
		w.Header().Set("x-amzn-requestid", fmt.Sprintf("local-%d", requests.Add(1)))
		kms.HandleRequest(w, r, database)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
