// What an application does with the SDK, as far as its events are concerned: the SDK's own event
// controller publishes them, sends them to the ingestion URL of the meeting, and tells observers.
import DefaultEventController from 'amazon-chime-sdk-js/build/eventcontroller/DefaultEventController';
import LogLevel from 'amazon-chime-sdk-js/build/logger/LogLevel';
import MeetingSessionConfiguration from 'amazon-chime-sdk-js/build/meetingsession/MeetingSessionConfiguration';
import NoOpLogger from 'amazon-chime-sdk-js/build/logger/NoOpLogger';
import POSTLogger from 'amazon-chime-sdk-js/build/logger/POSTLogger';

window.observed = [];

window.join = (meeting, attendee) => {
  const configuration = new MeetingSessionConfiguration(meeting, attendee);
  const logger = new NoOpLogger(LogLevel.OFF);
  window.controller = new DefaultEventController(configuration, logger);
  window.controller.addObserver({
    eventDidReceive: (name, attributes) => window.observed.push({ name, attributes }),
  });
};

window.publish = (name, attributes) => window.controller.publishEvent(name, attributes);

window.startLogger = (url, metadata) => {
  window.logger = new POSTLogger({ url, logLevel: LogLevel.INFO, metadata });
};

window.ready = true;
