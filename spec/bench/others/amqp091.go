// What a user would write in Go for the same work, with amqp091-go: `make bench LONG=1` compares it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var key = regexp.MustCompile(
	`^v2/raw_crash/[^/]+/\d{8}/([0-9a-f]{8}(?:-[0-9a-f]{4}){4}[0-9a-f]{2}\d{6})$`)

type event struct {
	Records []struct {
		EventName string
		S3        struct{ Object struct{ Key string } }
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func publish(channel *amqp.Channel, returns chan amqp.Return, id string) {
	for _, queue := range strings.Split(os.Getenv("PIGEON_QUEUE"), ",") {
		confirm, err := channel.PublishWithDeferredConfirmWithContext(context.Background(), "", queue,
			true, false, amqp.Publishing{ContentType: "text/plain", DeliveryMode: amqp.Persistent,
				MessageId: id, Timestamp: time.Now(), AppId: "pigeon", Body: []byte(id)})
		must(err)
		if !confirm.Wait() {
			log.Fatal(id, " was nacked")
		}
		select {
		case <-returns:
			log.Fatal(id, " was returned")
		default:
		}
	}
	fmt.Printf("{\"level\":\"INFO\",\"message\":\"published\",\"crash_id\":\"%s\"}\n", id)
}

func handle(channel *amqp.Channel, returns chan amqp.Return, body []byte) {
	var found event
	must(json.Unmarshal(body, &found))
	for _, record := range found.Records {
		name, err := url.QueryUnescape(record.S3.Object.Key)
		must(err)
		match := key.FindStringSubmatch(name)
		if record.EventName == "ObjectCreated:Put" && match != nil && match[1][29] == '1' {
			publish(channel, returns, match[1])
		}
	}
}

func main() {
	address := amqp.URI{Scheme: "amqp", Host: os.Getenv("PIGEON_HOST"),
		Username: os.Getenv("PIGEON_USER"), Password: os.Getenv("PIGEON_PASSWORD"),
		Vhost: os.Getenv("PIGEON_VIRTUAL_HOST")}
	_, err := fmt.Sscan(os.Getenv("PIGEON_PORT"), &address.Port)
	must(err)
	connection, err := amqp.Dial(address.String())
	must(err)
	channel, err := connection.Channel()
	must(err)
	must(channel.Confirm(false))
	returns := channel.NotifyReturn(make(chan amqp.Return, 1))
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		answer, err := http.Get(api + "next")
		must(err)
		body, err := io.ReadAll(answer.Body)
		must(err)
		answer.Body.Close()
		handle(channel, returns, body)
		id := answer.Header.Get("Lambda-Runtime-Aws-Request-Id")
		answer, err = http.Post(api+id+"/response", "application/json", bytes.NewReader([]byte("null")))
		must(err)
		_, err = io.Copy(io.Discard, answer.Body)
		must(err)
		answer.Body.Close()
	}
}
