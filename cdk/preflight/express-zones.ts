/** When the table was compared with the user guide of S3. AWS adds zones now and then: one that is missing here is unknown. */
export const expressZonesAsOf = '2025-10';

/** Zones that offer S3 Express One Zone, by their ids, which are the same for every account. */
export const expressZones: Readonly<Record<string, readonly string[]>> = {
  'us-east-1': ['use1-az4', 'use1-az5', 'use1-az6'],
  'us-east-2': ['use2-az1', 'use2-az2'],
  'us-west-2': ['usw2-az1', 'usw2-az3', 'usw2-az4'],
  'ap-south-1': ['aps1-az1', 'aps1-az3'],
  'ap-northeast-1': ['apne1-az1', 'apne1-az4'],
  'eu-west-1': ['euw1-az1', 'euw1-az3'],
  'eu-north-1': ['eun1-az1', 'eun1-az2', 'eun1-az3'],
};
