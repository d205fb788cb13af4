/** The process was started wrongly; starting it again the same way will not help (EX_CONFIG of sysexits.h). */
export const exitCodeConfiguration = 78;
