/**
 * List prices of S3 in US dollars, us-east-1, as of November 2026 (S3 pricing page and FAQ). Storage is not in them:
 * what is compared here is requests and the transfer that is priced with them. DELETE is free.
 */
export interface StorePrices {
  readonly name: string;
  /** A thousand writes (PUT, LIST), and a thousand reads. */
  readonly perThousandWrites: number;
  readonly perThousandReads: number;
  readonly perUploadedGigabyte: number;
}

export const standardPrices: StorePrices = {
  name: 'S3 Standard',
  perThousandWrites: 0.005,
  perThousandReads: 0.0004,
  perUploadedGigabyte: 0,
};

export const expressPrices: StorePrices = {
  name: 'S3 Express',
  perThousandWrites: 0.00113,
  perThousandReads: 0.00003,
  perUploadedGigabyte: 0.0032,
};

export const secondsPerMonth = 30 * 86_400;
