// What the meeting-event dashboard's Lambda function does with a POST, behind a minimal HTTP server.
//
// Written from its described behaviour: the body is a JSON array of events, refused with 422 unless
// the first one names meeting and attendee; a log stream is made for the POST, all events are put
// into it, and the start durations go to CloudWatch as a metric. The events and the metric are sent
// at the same time, and the answer waits for both.
//
//   node server.mjs PORT sdk STUB_PORT   calls AWS by its SDK, version 2, as the function does
//   node server.mjs PORT inside          calls are only serialized, hashed and signed by hand
//   node server.mjs PORT stub            AWS: answers each call at once

import { createHash, createHmac } from 'node:crypto';
import http from 'node:http';

const [port, role, stubPort] = process.argv.slice(2);
const GROUP = 'meeting-events';
const NAMESPACE = 'AmazonChimeSDKMeetingEvents';
const REGION = 'us-east-1';
const KEY_ID = 'AKIDEXAMPLE';
const SECRET = 'not-a-secret-and-of-no-use-elsewhere';

// --- AWS, by its SDK ---------------------------------------------------------------------------

async function sdk() {
  process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = '1';
  const { default: AWS } = await import('aws-sdk');
  const options = {
    region: REGION,
    endpoint: `http://127.0.0.1:${stubPort}`,
    credentials: new AWS.Credentials(KEY_ID, SECRET),
    httpOptions: { agent: new http.Agent({ keepAlive: true, maxSockets: 256 }) },
  };
  const logs = new AWS.CloudWatchLogs(options);
  const metrics = new AWS.CloudWatch(options);
  return {
    createLogStream: (parameters) => logs.createLogStream(parameters).promise(),
    putLogEvents: (parameters) => logs.putLogEvents(parameters).promise(),
    putMetricData: (parameters) => metrics.putMetricData(parameters).promise(),
  };
}

// --- AWS, by hand and without a wire: the least that any client must do ---------------------------

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const signingKeys = new Map();

function signingKey(day, service) {
  const name = `${day}/${service}`;
  if (!signingKeys.has(name)) {
    const regionKey = hmac(hmac(`AWS4${SECRET}`, day), REGION);
    signingKeys.set(name, hmac(hmac(regionKey, service), 'aws4_request'));
  }
  return signingKeys.get(name);
}

function signed(service, type, target, body) {
  const moment = new Date().toISOString().replace(/[:-]|\.\d{3}/g, '');
  const day = moment.slice(0, 8);
  const host = `${service}.${REGION}.amazonaws.com`;
  const names = target ? 'content-type;host;x-amz-date;x-amz-target' : 'content-type;host;x-amz-date';
  const canonical = [
    'POST', '/', '', `content-type:${type}`, `host:${host}`, `x-amz-date:${moment}`,
    ...(target ? [`x-amz-target:${target}`] : []), '', names, sha256(body),
  ].join('\n');
  const scope = `${day}/${REGION}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', moment, scope, sha256(canonical)].join('\n');
  const signature = createHmac('sha256', signingKey(day, service)).update(text).digest('hex');
  return `AWS4-HMAC-SHA256 Credential=${KEY_ID}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
}

async function json(action, parameters) {
  signed('logs', 'application/x-amz-json-1.1', `Logs_20140328.${action}`, JSON.stringify(parameters));
}

async function query({ Namespace, MetricData }) {
  const text = new URLSearchParams({ Action: 'PutMetricData', Version: '2010-08-01', Namespace });
  MetricData.forEach((metric, index) => {
    const member = `MetricData.member.${index + 1}`;
    for (const name of ['MetricName', 'Timestamp', 'Unit', 'Value']) {
      text.set(`${member}.${name}`, metric[name]);
    }
    metric.Dimensions.forEach(({ Name, Value }, number) => {
      text.set(`${member}.Dimensions.member.${number + 1}.Name`, Name);
      text.set(`${member}.Dimensions.member.${number + 1}.Value`, Value);
    });
  });
  signed('monitoring', 'application/x-www-form-urlencoded; charset=utf-8', '', text.toString());
}

const inside = {
  createLogStream: (parameters) => json('CreateLogStream', parameters),
  putLogEvents: (parameters) => json('PutLogEvents', parameters),
  putMetricData: query,
};

// --- What the function does --------------------------------------------------------------------

let aws;

function idsOf(events) {
  if (!Array.isArray(events)) {
    throw new Error('not an array');
  }
  const { meetingId, attendeeId } = events[0].attributes;
  if (!meetingId || !attendeeId) {
    throw new Error('no meeting or attendee');
  }
  return [meetingId, attendeeId];
}

async function putEvents(meeting, attendee, events) {
  const stream = {
    logGroupName: GROUP,
    logStreamName: `/meeting-events/${meeting}/${attendee}/${Date.now()}`,
  };
  await aws.createLogStream(stream);
  const logEvents = events.map((event) => ({
    message: JSON.stringify(event), timestamp: event.attributes.timestampMs,
  }));
  await aws.putLogEvents({ logEvents, ...stream });
}

async function putDurations(events) {
  const metrics = [];
  for (const { name, attributes } of events) {
    if (name === 'meetingStartSucceeded' && attributes.meetingStartDurationMs > 0) {
      metrics.push({
        MetricName: 'meetingStartDurationMs',
        Timestamp: new Date(attributes.timestampMs).toISOString(),
        Unit: 'Milliseconds',
        Value: attributes.meetingStartDurationMs,
        Dimensions: [{ Name: 'sdkName', Value: attributes.sdkName }],
      });
    }
  }
  if (metrics.length) {
    await aws.putMetricData({ Namespace: NAMESPACE, MetricData: metrics });
  }
}

async function handle(body) {
  let events;
  let ids;
  try {
    events = JSON.parse(body);
    if (Array.isArray(events) && !events.length) {
      return [200, {}];
    }
    ids = idsOf(events);
  } catch {
    return [422, { error: 'Invalid input: Ensure that you pass a JSON array of meeting events' }];
  }
  try {
    await Promise.all([putEvents(...ids, events), putDurations(events)]);
  } catch (error) {
    console.error(error);
    return [500, { error: 'Internal server error' }];
  }
  return [200, {}];
}

// --- The servers -------------------------------------------------------------------------------

function answer(response, status, type, text) {
  response.writeHead(status, {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Methods': 'OPTIONS,POST',
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

function serve(request, response) {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', async () => {
    const [status, content] = await handle(Buffer.concat(parts).toString('utf8'));
    answer(response, status, 'application/json', JSON.stringify(content));
  });
}

const METRICS_TAKEN = '<PutMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">'
  + '<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></PutMetricDataResponse>';

function answerCall(request, response) {
  request.resume();
  request.on('end', () => {
    if (request.headers['content-type'].startsWith('application/x-amz-json')) {
      answer(response, 200, 'application/x-amz-json-1.1', '{}');
    } else {
      answer(response, 200, 'text/xml', METRICS_TAKEN);
    }
  });
}

if (role !== 'stub') {
  aws = role === 'sdk' ? await sdk() : inside;
}
const server = http.createServer(role === 'stub' ? answerCall : serve);
server.keepAliveTimeout = 60_000;
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
