/* INTERNALDATE both ways, in the proleptic Gregorian calendar.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap_date.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "syncd/must.h"

#define DAY_S 86400
#define DAYS_OF_400_YEARS 146097
#define YEAR_MAX 9999

static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Month 0..11. */
static int days_of_month(int64_t year, int month)
{
	static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month] + (month == 1 && is_leap(year) ? 1 : 0);
}

/* Days from 1 January of year 1 to 1 January of `year` (>= 1). */
static int64_t days_before_year(int64_t year)
{
	int64_t past = year - 1;

	return past * 365 + past / 4 - past / 100 + past / 400;
}

static int64_t epoch_days(void)
{
	return days_before_year(1970);
}

void imap_date_format(int64_t seconds, char out[IMAP_DATE_SIZE])
{
	int64_t low = -epoch_days() * DAY_S;
	int64_t high = (days_before_year(YEAR_MAX + 1) - epoch_days()) * DAY_S - 1;

	if (seconds < low)
		seconds = low;
	if (seconds > high)
		seconds = high;
	int64_t days = (seconds - low) / DAY_S;
	int in_day = (int)((seconds - low) % DAY_S);
	int64_t year = days * 400 / DAYS_OF_400_YEARS + 1;
	while (days_before_year(year) > days)
		year--;
	while (days_before_year(year + 1) <= days)
		year++;
	int day = (int)(days - days_before_year(year));
	int month = 0;
	while (day >= days_of_month(year, month))
		day -= days_of_month(year, month++);
	int len = snprintf(out, IMAP_DATE_SIZE, "%2d-%s-%04d %02d:%02d:%02d +0000", day + 1,
			   month_names[month], (int)year, in_day / 3600, in_day / 60 % 60,
			   in_day % 60);
	must(len == IMAP_DATE_SIZE - 1);
}

/* --- Reading -------------------------------------------------------------- */

static void skip_blanks(struct slice *text)
{
	while (text->len > 0 && text->data[0] == ' ') {
		text->data++;
		text->len--;
	}
}

/* Takes a character of `set`. */
static bool take_one_of(struct slice *text, const char *set)
{
	if (text->len == 0 || text->data[0] == '\0' || strchr(set, text->data[0]) == NULL)
		return false;
	text->data++;
	text->len--;
	return true;
}

/* Takes 1 to `max` digits; returns how many. */
static int take_digits(struct slice *text, int max, int *value)
{
	int count = 0;

	*value = 0;
	while (count < max && text->len > 0 && text->data[0] >= '0' && text->data[0] <= '9') {
		*value = *value * 10 + (text->data[0] - '0');
		text->data++;
		text->len--;
		count++;
	}
	return count;
}

static bool take_month(struct slice *text, int *month)
{
	if (text->len < 3)
		return false;
	for (*month = 0; *month < 12; (*month)++) {
		if (strncasecmp(text->data, month_names[*month], 3) == 0) {
			text->data += 3;
			text->len -= 3;
			return true;
		}
	}
	return false;
}

/* Day, month and year as days since 1970. */
static bool take_date(struct slice *text, int64_t *days)
{
	int day = 0;
	int month = 0;
	int year = 0;

	if (take_digits(text, 2, &day) == 0 || !take_one_of(text, "- ") ||
	    !take_month(text, &month) || !take_one_of(text, "- "))
		return false;
	int digits = take_digits(text, 4, &year);
	if (digits == 2)
		year += year < 50 ? 2000 : 1900;
	else if (digits != 4)
		return false;
	if (year < 1 || day < 1 || day > days_of_month(year, month))
		return false;
	*days = days_before_year(year) - epoch_days() + day - 1;
	for (int i = 0; i < month; i++)
		*days += days_of_month(year, i);
	return true;
}

static bool take_time(struct slice *text, int *seconds)
{
	int hour = 0;
	int minute = 0;
	int second = 0;

	if (take_digits(text, 2, &hour) == 0 || !take_one_of(text, ":") ||
	    take_digits(text, 2, &minute) != 2)
		return false;
	if (take_one_of(text, ":") && take_digits(text, 2, &second) != 2)
		return false;
	*seconds = hour * 3600 + minute * 60 + second;
	return hour < 24 && minute < 60 && second <= 60;
}

/* The zone as seconds east of UTC. */
static bool take_zone(struct slice *text, int *east)
{
	int zone = 0;

	*east = 0;
	if (text->len == 0 || slice_case_equals_str(*text, "GMT") ||
	    slice_case_equals_str(*text, "UTC") || slice_case_equals_str(*text, "UT") ||
	    slice_case_equals_str(*text, "Z")) {
		text->len = 0;
		return true;
	}
	bool is_west = text->data[0] == '-';
	if (!take_one_of(text, "+-") || take_digits(text, 4, &zone) != 4 || zone % 100 >= 60)
		return false;
	*east = (zone / 100 * 3600 + zone % 100 * 60) * (is_west ? -1 : 1);
	return true;
}

bool imap_date_parse(struct slice text, int64_t *seconds)
{
	int64_t days = 0;
	int in_day = 0;
	int east = 0;

	while (text.len > 0 && text.data[text.len - 1] == ' ')
		text.len--;
	skip_blanks(&text);
	if (!take_date(&text, &days) || !take_one_of(&text, " "))
		return false;
	skip_blanks(&text);
	if (!take_time(&text, &in_day))
		return false;
	skip_blanks(&text);
	if (!take_zone(&text, &east) || text.len > 0)
		return false;
	*seconds = days * DAY_S + in_day - east;
	return true;
}
