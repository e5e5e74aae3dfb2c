"""What a user would write in Python for the same work, with pika: `make bench LONG=1` compares it.

A Lambda Runtime API loop, the accept/defer rule of rules.lua, and a confirmed, mandatory publish.
"""

import http.client
import json
import os
import re
import sys
import time
import urllib.parse

import pika

KEY = re.compile(r"^v2/raw_crash/[^/]+/\d{8}/([0-9a-f]{8}(?:-[0-9a-f]{4}){4}[0-9a-f]{2}\d{6})$")
PATH = "/2018-06-01/runtime/invocation/"


def connect():
    env = os.environ
    channel = pika.BlockingConnection(
        pika.ConnectionParameters(
            host=env["PIGEON_HOST"],
            port=int(env["PIGEON_PORT"]),
            virtual_host=env["PIGEON_VIRTUAL_HOST"],
            credentials=pika.PlainCredentials(env["PIGEON_USER"], env["PIGEON_PASSWORD"]),
        )
    ).channel()
    channel.confirm_delivery()
    return channel


def publish(channel, crash_id):
    properties = pika.BasicProperties(
        content_type="text/plain",
        delivery_mode=2,
        message_id=crash_id,
        timestamp=int(time.time()),
        app_id="pigeon",
    )
    for queue in os.environ["PIGEON_QUEUE"].split(","):
        # raises where the message is returned or nacked
        channel.basic_publish("", queue, crash_id.encode(), properties, mandatory=True)
    print(json.dumps({"level": "INFO", "message": "published", "crash_id": crash_id}), flush=True)


def handle(channel, event):
    for record in event["Records"]:
        match = KEY.match(urllib.parse.unquote_plus(record["s3"]["object"]["key"]))
        if record["eventName"] == "ObjectCreated:Put" and match and match[1][-7] == "1":
            publish(channel, match[1])


def main():
    channel = connect()
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        api.request("GET", PATH + "next")
        answer = api.getresponse()
        request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        handle(channel, json.loads(answer.read()))
        api.request("POST", PATH + request_id + "/response", b"null")
        api.getresponse().read()


if __name__ == "__main__":
    sys.exit(main())
