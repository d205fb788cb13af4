import { regionOf } from '../arn.js';
import { when, type Rule } from '../rule.js';

export const alarmRules: readonly Rule[] = [
  {
    code: 'ALARMS_REACH_NOBODY',
    demands: 'Where removal protection is on, alarms reach somebody.',
    broken: ({ alarms, removalProtection }) =>
      when(
        removalProtection && alarms.emailAddresses.length === 0 && alarms.topicArns.length === 0,
        'alarms',
        'no alarm would reach anybody; name an e-mail address or an SNS topic',
      ),
  },
  {
    code: 'TOPIC_OF_ANOTHER_REGION',
    demands: 'Topics of alarms are topics of this region.',
    broken: ({ alarms, region }) =>
      alarms.topicArns.flatMap((arn, index) =>
        when(
          regionOf(arn) !== region,
          `alarms.topicArns[${index}]`,
          `${arn} is in another region; CloudWatch notifies topics of its own region, name one of ${region}`,
        ),
      ),
  },
];
